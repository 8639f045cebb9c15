package auth_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/rpcerr"
)

// FuzzBearer takes a value of the authorization, and a header and a payload that the key of orders signs, the whole way
// of a bearer token. Nothing may panic, not even where a panic would be caught, every refusal is the public one, and
// who is let in is orders with a token that says so to a slow reader as well. IAT and EXP stand for times that are
// good.
func FuzzBearer(f *testing.F) {
	w := newWorld(f)
	w.enroll("orders", "payments")
	orders, gate := w.id("orders"), w.identity("payments").Server(nil)
	forge := newForger(f, w, "orders", "at+jwt", func() claims { return tokenClaims(w, "orders") })
	honest := `{"iss":"spiffe://shop.example/orders","sub":"spiffe://shop.example/orders","aud":"spiffe://shop.example/payments","iat":IAT,"exp":EXP,"jti":"1"}`
	for _, seed := range [][3]string{
		{"Bearer TOKEN", goodHeader, honest},
		{"bearer TOKEN", goodHeader, strings.Replace(honest, `"jti"`, `"scope":"a b","jti"`, 1)},
		{"Bearer  TOKEN", goodHeader, honest},
		{"TOKEN", goodHeader, "{}"},
		{"Bearer TOKEN.", goodHeader, honest},
		{"Bearer ..", "", ""},
		{"Bearer TOKEN", `{"alg":"none","kid":"KID","typ":"TYP"}`, honest},
		{"Bearer TOKEN", `{"alg":"EdDSA","kid":"KID","typ":"TYP","crit":[]}`, honest},
		{"Bearer TOKEN", goodHeader, strings.Replace(honest, `"spiffe://shop.example/payments"`, `["spiffe://shop.example/payments"]`, 1)},
		{"Bearer TOKEN", goodHeader, strings.Replace(honest, "EXP", "0", 1)},
		{"Bearer TOKEN", goodHeader, strings.Replace(honest, "EXP", "EXP.5", 1)},
		{"Bearer TOKEN", goodHeader, strings.Replace(honest, "EXP", `1e300,"nbf":null`, 1)},
		{"Bearer TOKEN", goodHeader, honest + honest},
		{"Bearer TOKEN", goodHeader, strings.Repeat(`{"a":`, 20)},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, authorization, header, payload string) {
		now := time.Now()
		payload = strings.NewReplacer(
			"IAT", strconv.FormatInt(now.Unix(), 10), "EXP", strconv.FormatInt(now.Add(10*time.Minute).Unix(), 10),
		).Replace(payload)
		value := strings.ReplaceAll(authorization, "TOKEN", forge.token(header, payload))
		peer, err := auth.ReadPeer(t.Context(), gate, value)
		if err != nil {
			expected := []rpcerr.Reason{
				rpcerr.CredentialsInvalid, rpcerr.CredentialsExpired, rpcerr.CredentialsNotYetValid,
			}
			if reason := rpcerr.ReasonOf(err); !slices.Contains(expected, reason) {
				t.Errorf("the reason is %q: %v", reason, err)
			}
			if strings.Contains(err.Error(), "panic") {
				t.Error(err)
			}
			return
		}
		var said struct{ Iss, Sub string }
		if json.Unmarshal([]byte(payload), &said) != nil || said.Iss != said.Sub || said.Sub != peer.ID.String() || peer.ID != orders {
			t.Errorf("%q with %q is %v", header, payload, peer)
		}
	})
}
