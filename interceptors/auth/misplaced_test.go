package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
)

// A token of an issuer that nobody here knows is refused for that, whatever is wrong with its header: no setting would
// let it pass. One that a workload signed for itself is not.
func TestTheUnknownIssuerIsTheCause(t *testing.T) {
	users, err := verify.New(nil, []*verify.Profile{{Name: "https://login.example"}}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	places := tokenPlaces{users: userVerifiers{{Verifier: users}}}
	user := &receivedUser{key: wire.UserTokenKey, place: wire.UserTokenKey}
	const unknown = `iss is "https://x.example", which is no issuer that is accepted here; `
	segment := base64.RawURLEncoding.EncodeToString
	token := func(iss string) string {
		return segment([]byte(`{"alg":"RS256","kid":"a","typ":"JWT","x5t":"a"}`)) + "." +
			segment([]byte(`{"iss":"`+iss+`"}`)) + "." + segment(make([]byte, 256))
	}
	for name, test := range map[string]struct {
		iss     string
		err     error
		unknown bool
	}{
		"of another type":       {"https://x.example", &jose.Error{Reason: jose.ReasonType}, true},
		"with another header":   {"https://x.example", &jose.Error{Reason: jose.ReasonHeader}, true},
		"of an unknown key":     {"https://x.example", trustdir.ErrUnknownKey, true},
		"said already":          {"https://x.example", verify.ErrUnknownIssuer, false},
		"of a workload":         {"spiffe://shop.example/orders", &jose.Error{Reason: jose.ReasonType}, false},
		"a signature of nobody": {"https://x.example", &jose.Error{Reason: jose.ReasonSignature}, false},
		"of an issuer of users": {"https://login.example", &jose.Error{Reason: jose.ReasonType}, false},
		"of a nameless one":     {"", &jose.Error{Reason: jose.ReasonType}, false},
	} {
		want := ""
		if test.unknown {
			want = unknown + test.err.Error()
		}
		for place, err := range map[string]error{
			"workload": places.misplacedBearer(token(test.iss), test.err),
			"user":     places.misplacedUser(token(test.iss), user, test.err),
		} {
			if !errors.Is(err, test.err) || want != "" && err.Error() != want ||
				want == "" && strings.Contains(err.Error(), "x.example") {
				t.Errorf("%s in the place of the %s: %v, want %q", name, place, err, want)
			}
		}
	}
}

// A token that is refused for its form costs nothing more for the log: its payload is not read, however long it is.
func TestNoHintForBadForm(t *testing.T) {
	users, err := verify.New(nil, []*verify.Profile{{Name: "https://login.example"}}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	places := tokenPlaces{users: userVerifiers{{Verifier: users}}}
	token := func(alg string) string {
		segment := base64.RawURLEncoding.EncodeToString
		return segment([]byte(`{"alg":"`+alg+`"}`)) + "." +
			segment([]byte(`{"iss":"https://login.example","o":"`+strings.Repeat("o", 1000)+`"}`)) + "." +
			segment(make([]byte, 64))
	}
	user := &receivedUser{key: wire.TransactionTokenKey, place: wire.TransactionTokenKey}
	for name, test := range map[string]struct {
		alg  string
		err  error
		hint bool
	}{
		"of another type":   {"EdDSA", &jose.Error{Reason: jose.ReasonType}, true},
		"of another issuer": {"EdDSA", errors.New("iss is no issuer that is accepted here"), true},
		"with a bad header": {"EdDSA", &jose.Error{Reason: jose.ReasonHeader}, true},
		"too long":          {"EdDSA", jose.ReasonSize, false},
		"wrapped":           {"EdDSA", fmt.Errorf("token: %w", &jose.Error{Reason: jose.ReasonSignature}), false},
		"alg none":          {"none", errors.New("whatever"), false},
	} {
		compact := token(test.alg)
		bearer, misplaced := places.misplacedBearer(compact, test.err), places.misplacedUser(compact, user, test.err)
		if (bearer != test.err) != test.hint || (misplaced != test.err) != test.hint { //nolint:errorlint // the very error
			t.Errorf("%s: got %v and %v, want a hint: %v", name, bearer, misplaced, test.hint)
		}
		allocations := testing.AllocsPerRun(10, func() { _ = places.misplacedBearer(compact, test.err) })
		if verify.BadForm(test.err) && allocations > 1 { // what errors.As looks for
			t.Errorf("%s: the hint that there is not costs %v allocations", name, allocations)
		}
	}
}
