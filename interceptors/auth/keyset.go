package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/keyset"
)

// KeySet is the public keys of one issuer, kept fresh from where they lie. It may be shared by any number of identities and
// servers, and is safe for concurrent use. [KeySet.Close] it when they are gone.
//
// Whoever checks a credential reads a snapshot: no call waits for the place that the keys come from, except, for a second at
// most, a call whose credential names a key that is not known yet. Such a key makes the set be read at most once in 10
// seconds. While the set cannot be read the last good one stays in force, for 24 hours at most; after that, and before the
// first, credentials of the issuer are refused with KEYS_UNAVAILABLE. A key that disappears from the set is revoked.
//
// Keys are Ed25519, P-256, P-384 or RSA of 2048 to 8192 bits, each with a kid, and each for one algorithm, see [WithAlgorithms].
// A key that is malformed, weak, secret or of another kind is skipped and named in [KeySet.State], and so are keys that share a
// kid; the others count.
type KeySet struct {
	text  string
	set   *keyset.Set // nil with a flaw
	flaw  error
	local bool // reading it is quick, so that Check does
	fixed bool // it never changes, and needs no goroutine

	mu        sync.Mutex
	started   bool
	listeners map[*keyListener]struct{}
}

// keyListener is told of each new generation.
type keyListener struct{ changed func(generation uint64) }

// StaticKeys returns the key set that is the JSON Web Key Set jwks (RFC 7517 section 5), and never changes.
func StaticKeys(jwks []byte, opts ...KeySetOption) *KeySet {
	k := newKeySet("auth.StaticKeys(", opts, func(*keySetConfig) (keyset.Source, error) { return keyset.Static(jwks), nil })
	k.fixed = true
	if k.flaw == nil {
		if err := k.set.Load(context.Background()); err != nil {
			k.flaw = fmt.Errorf("auth: StaticKeys: %w", err)
		}
	}
	return k
}

// KeysFromFile returns the key set that lies in a file, which is read every 5 seconds and may be replaced at any time. Whoever
// can write it decides who is trusted: it must belong to root or to the user of this process and be writable by nobody else,
// and so must the directories above it; see [TrustDir].
func KeysFromFile(path string, opts ...KeySetOption) *KeySet {
	k := newKeySet(fmt.Sprintf("auth.KeysFromFile(%q, ", path), opts, func(*keySetConfig) (keyset.Source, error) {
		if path == "" {
			return nil, errors.New("no file is named")
		}
		return keyset.File(path), nil
	})
	k.local = true
	return k
}

// KeysFromURL returns the key set that is fetched from a URL (a jwks_uri), over HTTPS with a certificate that the system
// trusts. It is fetched again when the server's max-age says, but not before a minute and not after an hour, and after 5
// minutes when it says nothing. A fetch takes 5 seconds at most, follows no redirect, uses no proxy and reads no more than
// 512 KiB and 100 keys.
func KeysFromURL(address string, opts ...KeySetOption) *KeySet {
	return newKeySet(fmt.Sprintf("auth.KeysFromURL(%q, ", address), opts, func(c *keySetConfig) (keyset.Source, error) {
		return keyset.URL(c.client(), address)
	})
}

// KeysFromProvider returns the key set of an OpenID provider, fetched as that of [KeysFromURL] is. Where it lies, the
// provider's discovery document says, which must state the issuer byte for byte as it is given here.
func KeysFromProvider(issuer string, opts ...KeySetOption) *KeySet {
	return newKeySet(fmt.Sprintf("auth.KeysFromProvider(%q, ", issuer), opts, func(c *keySetConfig) (keyset.Source, error) {
		return keyset.Discovery(c.client(), issuer)
	})
}

func newKeySet(text string, opts []KeySetOption, open func(*keySetConfig) (keyset.Source, error)) *KeySet {
	c := keySetConfig{logger: slog.New(slog.DiscardHandler), maxStale: maxStale}
	k := &KeySet{text: text, listeners: map[*keyListener]struct{}{}}
	for _, o := range opts {
		if o != nil {
			o.applyKeySet(&c)
			k.text += o.String() + ", "
		}
	}
	k.text = trimList(k.text) + ")"
	source, err := open(&c)
	if err = errors.Join(err, c.check()); err != nil {
		k.flaw = fmt.Errorf("%s: %w", k.text, err)
		return k
	}
	if c.root != "" {
		source = keyset.Signed(source, c.root)
	}
	k.set = keyset.New(source, keyset.Options{
		Keys: c.keys, AllowEmpty: c.empty, MaxStale: c.maxStale, Logger: c.logger, OnChange: k.tell,
	})
	return k
}

// String is how the key set was made.
func (k *KeySet) String() string { return k.text }

// Check returns every mistake in the arguments, joined, and begins to keep the set fresh. A file is read, and must hold keys;
// what lies elsewhere may come later, see [KeySet.Ready].
func (k *KeySet) Check() error {
	if k == nil {
		return errors.New("auth: there is no key set")
	}
	if k.flaw != nil {
		return k.flaw
	}
	if k.local && k.set.State().Read.IsZero() {
		if err := k.set.Load(context.Background()); err != nil {
			return fmt.Errorf("%s: %w", k.text, err)
		}
	}
	k.start()
	return nil
}

// Ready waits until there are keys. The error is that of Check, or says that ctx has ended and why there are no keys yet.
func (k *KeySet) Ready(ctx context.Context) error {
	if err := k.Check(); err != nil && (k == nil || k.flaw != nil) {
		return err
	}
	k.start()
	if err := k.set.Ready(ctx); err != nil {
		return fmt.Errorf("%s: %w: %w", k.text, errKeysUnavailable, err)
	}
	return nil
}

// Invalidate revokes a key at once, before it disappears from where the set comes from, and for as long as the process runs.
func (k *KeySet) Invalidate(kid string) {
	if k.set != nil {
		k.set.Invalidate(kid)
	}
	if k.fixed && k.flaw == nil {
		k.tell(k.set.Generation()) // nothing runs that would
	}
}

// Close stops what keeps the set fresh. From then on credentials of the issuer are refused with KEYS_UNAVAILABLE. It always
// returns nil; closing twice is harmless.
func (k *KeySet) Close() error {
	if k.set == nil {
		return nil
	}
	return k.set.Close()
}

// start begins to keep the set fresh, once.
func (k *KeySet) start() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.started && !k.fixed {
		k.started = true
		k.set.Start()
	}
}

// listen makes changed be called with each new generation, one call at a time, until the returned function was called.
func (k *KeySet) listen(changed func(generation uint64)) (stop func()) {
	l := &keyListener{changed}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.listeners[l] = struct{}{}
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.listeners, l)
	}
}

func (k *KeySet) tell(generation uint64) {
	k.mu.Lock()
	listeners := make([]*keyListener, 0, len(k.listeners))
	for l := range k.listeners {
		listeners = append(listeners, l)
	}
	k.mu.Unlock()
	for _, l := range listeners {
		l.changed(generation)
	}
}

// lookup returns the key called kid. It never waits. The error is errKeysUnavailable or errUnknownKey.
func (k *KeySet) lookup(kid string) (*jose.PublicKey, error) {
	if k.flaw != nil {
		return nil, fmt.Errorf("%w: %w", errKeysUnavailable, k.flaw)
	}
	key, err := k.set.Lookup(kid)
	if err != nil {
		k.start()
	}
	return key, keySetError(err)
}

// await is lookup that waits for a second at most when the kid is unknown, and bounds by itself how often.
func (k *KeySet) await(ctx context.Context, kid string) (*jose.PublicKey, error) {
	if key, err := k.lookup(kid); err == nil || k.flaw != nil {
		return key, err
	}
	key, err := k.set.Await(ctx, kid)
	return key, keySetError(err)
}

// holds tells whether kid still names this very key.
func (k *KeySet) holds(kid string, key *jose.PublicKey) bool {
	return k.flaw == nil && k.set.Holds(kid, key)
}

// generation counts the changes.
func (k *KeySet) generation() uint64 {
	if k.flaw != nil {
		return 0
	}
	return k.set.Generation()
}

var errUnknownKey = errors.New("auth: the issuer has no key of that kid")

func keySetError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyset.ErrUnavailable):
		return fmt.Errorf("%w: %w", errKeysUnavailable, err)
	default:
		return errUnknownKey
	}
}
