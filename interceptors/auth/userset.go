package auth

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
)

// userSet is who vouches for the users of a server now, by the places of their tokens. It never changes.
type userSet struct {
	own           userVerifiers // of parley-user-token, where all tokens of users may come
	authorization []tokenPlace  // of authorization, where the connection proves the caller
	headers       []headerPlaces
	written       []string // metadata keys that get claims
}

// headerPlaces are the places of tokens in one metadata key.
type headerPlaces struct {
	name   string
	places []tokenPlace
}

// tokenPlace is where tokens come behind a prefix, and who checks them.
type tokenPlace struct {
	prefix string
	by     userVerifiers
}

// userVerifiers check the tokens of one place. One of them must accept a token. There are several where rules state an
// issuer more than once.
type userVerifiers []userVerifier

type userVerifier struct {
	*verify.Verifier

	rules []*userRule // those of rules
}

// add adds a place. Those of one key are in the order of their prefixes, the longest first.
func (s *userSet) add(name string, place tokenPlace) {
	order := func(a, b tokenPlace) int {
		return cmp.Or(len(b.prefix)-len(a.prefix), strings.Compare(a.prefix, b.prefix))
	}
	if name == wire.AuthorizationKey {
		s.authorization = append(s.authorization, place)
		slices.SortFunc(s.authorization, order)
		return
	}
	n := slices.IndexFunc(s.headers, func(h headerPlaces) bool { return h.name == name })
	if n < 0 {
		n = len(s.headers)
		s.headers = append(s.headers, headerPlaces{name: name})
	}
	s.headers[n].places = append(s.headers[n].places, place)
	slices.SortFunc(s.headers[n].places, order)
}

// accepts reports whether the tokens of an issuer may be good here.
func (v userVerifiers) accepts(issuer string) bool {
	return slices.ContainsFunc(v, func(by userVerifier) bool { return by.Accepts(issuer) })
}

// verify checks a token, and returns the rule that it meets, nil for one of an issuer of the options. The error is that
// of a verifier which knows its issuer, if there is one.
func (v userVerifiers) verify(ctx context.Context, compact string, now time.Time) (*verify.Token, *userRule, error) {
	var errs []error
	for _, by := range v {
		t, err := by.Verify(ctx, compact, now)
		if err == nil {
			for _, r := range by.rules {
				if r.profile == t.Profile() {
					return t, r, nil
				}
			}
			return t, nil, nil
		}
		errs = append(errs, err)
	}
	switch len(errs) {
	case 0: // none of the rules counts
		return nil, nil, verify.ErrUnknownIssuer
	case 1:
		return nil, nil, errs[0]
	}
	return nil, nil, errs[v.telling(compact, errs)]
}

// telling is the number of the error that says most about a token that no verifier takes: that of the first that knows
// its issuer.
func (v userVerifiers) telling(compact string, errs []error) int {
	if issuer, ok := verify.ClaimedIssuer(compact); ok {
		for n := range errs {
			if v[n].Accepts(issuer) {
				return n
			}
		}
	}
	return max(0, slices.IndexFunc(errs, func(err error) bool { return !verify.BadForm(err) }))
}

// placeOf finds the place of a token in the one value of a key, and the token.
func placeOf(name string, places []tokenPlace, values []string) (by userVerifiers, compact string, err error) {
	if name == wire.AuthorizationKey && len(places) == 1 && places[0].prefix == strings.ToLower(wire.BearerScheme)+" " {
		compact, err = wire.BearerToken(values)
		return places[0].by, compact, err
	}
	if len(values) != 1 {
		return nil, "", fmt.Errorf("%d values of %s instead of one", len(values), name)
	}
	for _, p := range places {
		if n := len(p.prefix); len(values[0]) > n && (values[0][:n] == p.prefix ||
			name == wire.AuthorizationKey && strings.EqualFold(values[0][:n], p.prefix)) {
			return p.by, values[0][n:], nil
		}
	}
	return nil, "", fmt.Errorf("what stands in %s is not what is looked for there", name)
}

// changesMetadata reports whether handlers see other metadata than came, beside the credentials, for what is there.
func (s *userSet) changesMetadata(md metadata.MD) bool {
	return slices.ContainsFunc(s.written, func(name string) bool { return len(md[name]) > 0 }) ||
		slices.ContainsFunc(s.headers, func(h headerPlaces) bool { return len(md[h.name]) > 0 })
}

// shown returns what handlers see in a metadata key that the set is about. Received are the values that came.
func (s *userSet) shown(name string, received []string, u *receivedUser) (values []string, ok bool) {
	switch {
	case u != nil && u.rule != nil && u.place == name && u.rule.rule().ForwardToken:
		return received, true
	case slices.Contains(s.written, name):
		if u == nil || u.rule == nil {
			return nil, true
		}
		return u.write(name), true
	case slices.ContainsFunc(s.headers, func(h headerPlaces) bool { return h.name == name }):
		return nil, true
	default:
		return nil, false
	}
}

// rewrite changes metadata without credentials into what handlers see.
func (s *userSet) rewrite(rest, received metadata.MD, u *receivedUser) {
	set := func(name string) {
		if values, ok := s.shown(name, received[name], u); ok {
			if delete(rest, name); len(values) > 0 {
				rest[name] = values
			}
		}
	}
	for _, h := range s.headers {
		set(h.name)
	}
	for _, name := range s.written {
		set(name)
	}
	if u != nil {
		set(u.place)
	}
}

// write is what the rule of a user puts into a metadata key.
func (u *receivedUser) write(name string) []string {
	stated := u.rule.rule()
	if name == stated.PayloadHeader {
		_, rest, _ := strings.Cut(u.compact, ".")
		payload, _, _ := strings.Cut(rest, ".")
		return []string{payload}
	}
	for _, h := range stated.ClaimHeaders {
		if h.Name == name {
			if text, ok := claimText(u, h.Claim); ok {
				return []string{text}
			}
		}
	}
	return nil
}

// claimText is a claim as metadata: a string that is printable ASCII, an integer, true or false.
func claimText(u *receivedUser, path []string) (string, bool) {
	claims := u.user.Claims
	if text, ok := claims.String(path...); ok {
		return text, !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
	}
	if value, ok := claims.Bool(path...); ok {
		return strconv.FormatBool(value), true
	}
	const exact = 1 << 53
	if n, ok := claims.Number(path...); ok && n == float64(int64(n)) && -exact <= n && n <= exact {
		return strconv.FormatInt(int64(n), 10), true
	}
	return "", false
}
