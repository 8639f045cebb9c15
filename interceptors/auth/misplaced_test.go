package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
)

// A token that is refused for its form costs nothing more for the log: its payload is not read, however long it is.
func TestNoHintForBadForm(t *testing.T) {
	users, err := verify.New(nil, []*verify.Profile{{Name: "https://login.example"}}, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	places := tokenPlaces{users: users}
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
		"with a bad header": {"EdDSA", &jose.Error{Reason: jose.ReasonHeader}, false},
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
		if badForm(test.err) && allocations > 1 { // what errors.As looks for
			t.Errorf("%s: the hint that there is not costs %v allocations", name, allocations)
		}
	}
}
