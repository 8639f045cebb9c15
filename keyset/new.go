package keyset

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"

	"github.com/parley-rpc/parley/internal/stated"
)

// Static returns the set that is the JSON Web Key Set jwks (RFC 7517 section 5), and never changes.
func Static(jwks []byte, opts ...Option) *Set {
	s := newSet("keyset.Static(", opts, func(*config) (source, error) { return static(jwks), nil })
	s.fixed = true
	if s.err == nil {
		if err := s.load(context.Background()); err != nil {
			s.err = stated.Within("keyset: Static", err)
		}
	}
	return s
}

// File returns the set in a file, which is read every 5 seconds and may be replaced at any time. A process that can
// write the file decides which tokens are trusted. The file and the directories above it must therefore belong to root
// or to the user of this process, and must not be writable by others, as with a trust directory.
func File(path string, opts ...Option) *Set {
	s := newSet(fmt.Sprintf("keyset.File(%q, ", path), opts, func(*config) (source, error) {
		if path == "" {
			return nil, errors.New("no file is named; name that of the key set")
		}
		return file(path), nil
	})
	s.local = true
	return s
}

// URL returns the set that is fetched from a URL (a jwks_uri), over HTTPS with a certificate that the system trusts, or
// [WithCAFile]. It is fetched again when the server says (Cache-Control, Age and Expires, RFC 9111), but not before a
// minute and not after an hour, and after 5 minutes when it says nothing. A fetch takes 5 seconds at most
// ([WithTimeout]), follows no redirect but a permanent one (301, 308) on the same host, uses no proxy but that of
// [WithProxy], and reads no more than 512 KiB.
func URL(address string, opts ...Option) *Set {
	return newSet(fmt.Sprintf("keyset.URL(%q, ", address), opts, func(c *config) (source, error) {
		client, err := c.client(address)
		return &web{client: client, address: address}, err
	})
}

// Provider returns the set of an OpenID provider. It is fetched like the set of [URL], from the jwks_uri in the
// provider's discovery document. The issuer in that document must equal issuer byte for byte.
func Provider(issuer string, opts ...Option) *Set {
	return newSet(fmt.Sprintf("keyset.Provider(%q, ", issuer), opts, func(c *config) (source, error) {
		client, err := c.client(issuer)
		if strings.Contains(issuer, "?") {
			err = errors.Join(err, errors.New("an issuer has no query; state it without"))
		}
		return &discovery{client: client, issuer: issuer}, err
	})
}

func newSet(text string, opts []Option, open func(*config) (source, error)) *Set {
	s := &Set{
		config: config{
			logger: slog.New(slog.DiscardHandler), maxStale: maxStale, random: rand.Float64,
			timeout: fetchTimeout,
		},
		banned: map[string]bool{}, listeners: map[*listener]struct{}{}, wall: wall,
	}
	for _, o := range opts {
		if o != nil {
			o.apply(&s.config)
			text += o.String() + ", "
		}
	}
	s.text = strings.TrimSuffix(text, ", ") + ")"
	s.logger = s.config.logger
	s.unknown.round = make(chan struct{})
	from, err := open(&s.config)
	if err = errors.Join(err, s.config.check()); err != nil {
		s.err = stated.Within(s.text, err)
		s.current.Store(&snapshot{err: s.err})
		return s
	}
	if s.config.root != "" {
		from = &signed{source: from, root: s.config.root}
	}
	s.source = from
	s.logger = s.config.logger.With(slog.String("keys", from.String()))
	s.current.Store(&snapshot{})
	return s
}
