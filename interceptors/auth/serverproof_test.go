package auth_test

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// nonceOf is a nonce that says n.
func nonceOf(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", 10) + "000000"[len(strconv.Itoa(n)):] + strconv.Itoa(n)))
}

// proofFor calls payments by hand and returns the proofs in the answer.
func proofFor(ctx context.Context, t testing.TB, cc *grpc.ClientConn, token string, nonces ...string) ([]string, error) {
	t.Helper()
	ctx = metadata.NewOutgoingContext(ctx, metadata.MD{"authorization": {"Bearer " + token}, "parley-nonce": nonces})
	var header metadata.MD
	err := quote(ctx, cc, grpc.Header(&header))
	return header["parley-proof"], err
}

// The wire format, checked without the code that clients check it with.
func TestServerProofOnTheWire(t *testing.T) {
	for name, level := range map[string]policyv1.Proof{"session": policyv1.Proof_PROOF_SESSION, "call": policyv1.Proof_PROOF_CALL} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				cc := foreigner(t, w, payments{}, proofs(level))
				token := mint(t, w, "orders", nil)
				got, err := proofFor(t.Context(), t, cc, token, nonceOf(1))
				if err != nil || len(got) != 1 {
					t.Fatalf("%d proofs, %v", len(got), err)
				}
				proof, err := jose.Parse(got[0], "parley-proof+jwt")
				if err != nil {
					t.Fatal(err)
				}
				said, err := proof.Verify(w.key("payments").Public())
				if err != nil {
					t.Fatal(err)
				}
				self := w.id("payments").String()
				want := map[string]string{"iss": self, "sub": self, "aud": w.id("orders").String(), "nonce": nonceOf(1), "ath": hash([]byte(token))}
				if name == "call" {
					want["mth"] = "/shop.payments.v1.PaymentsService/GetQuote"
				}
				for claim, value := range want {
					if text, ok := said.String(claim); !ok || text != value {
						t.Errorf("%s is %q, want %q", claim, text, value)
					}
				}
				issued, _, _ := said.NumericDate("iat")
				expires, _, _ := said.NumericDate("exp")
				if len(said.Names()) != len(want)+2 || expires.Sub(issued) != time.Minute || !issued.Equal(time.Now()) {
					t.Errorf("the claims are %q, from %v to %v", said.Names(), issued, expires)
				}
			})
		})
	}
}

func TestAttack61NoncesOfCallers(t *testing.T) {
	bytes := func(n int) string { return base64.RawURLEncoding.EncodeToString(make([]byte, n)) }
	for name, test := range map[string]struct {
		nonces []string
		want   rpcerr.Reason
		proofs int
	}{
		"16 bytes":      {[]string{bytes(16)}, "", 1},
		"32 bytes":      {[]string{bytes(32)}, "", 1},
		"none":          {nil, "", 0},
		"15 bytes":      {[]string{bytes(15)}, rpcerr.CredentialsInvalid, 0},
		"33 bytes":      {[]string{bytes(33)}, rpcerr.CredentialsInvalid, 0},
		"empty":         {[]string{""}, rpcerr.CredentialsInvalid, 0},
		"two":           {[]string{bytes(16), bytes(16)}, rpcerr.CredentialsInvalid, 0},
		"padding":       {[]string{bytes(16) + "=="}, rpcerr.CredentialsInvalid, 0},
		"spare bits":    {[]string{bytes(16)[:21] + "B"}, rpcerr.CredentialsInvalid, 0},
		"quotes":        {[]string{`"` + bytes(16)[1:]}, rpcerr.CredentialsInvalid, 0},
		"8 KiB":         {[]string{strings.Repeat("A", 8192)}, rpcerr.CredentialsInvalid, 0},
		"other letters": {[]string{strings.Repeat("+", 22)}, rpcerr.CredentialsInvalid, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				got, err := proofFor(t.Context(), t, foreigner(t, w, payments{}), mint(t, w, "orders", nil), test.nonces...)
				if rpcerr.ReasonOf(err) != test.want || len(got) != test.proofs {
					t.Errorf("%d proofs, %v", len(got), err)
				}
			})
		})
	}
}

// A server proves itself to nobody who has proven nothing.
func TestAnonymousCallsGetNoProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc := foreigner(t, w, payments{}, policy.Code(auth.HealthPolicy()))
		ctx := metadata.AppendToOutgoingContext(t.Context(), "parley-nonce", nonceOf(1))
		var header metadata.MD
		if _, err := grpc_health_v1.NewHealthClient(cc).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
		if len(header["parley-proof"]) != 0 {
			t.Error("an anonymous caller got a proof")
		}
		for name, token := range map[string]string{
			"bad signature": func() string { s := mint(t, w, "orders", nil); return s[:len(s)-86] + strings.Repeat("A", 86) }(),
			"other server":  mint(t, w, "orders", claims{"aud": w.id("ledger").String()}),
			"not yet valid": mint(t, w, "orders", claims{"nbf": in(time.Hour / 2)}),
		} {
			if got, err := proofFor(t.Context(), t, cc, token, nonceOf(1)); err == nil || len(got) != 0 {
				t.Errorf("%s: %d proofs, %v", name, len(got), err)
			}
		}
	})
}

// A session has one proof, until that is a minute old or the server has another key.
func TestProofOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc, token := foreigner(t, w, payments{}), mint(t, w, "orders", claims{"exp": in(5 * time.Minute)})
		proof := func() string {
			t.Helper()
			got, err := proofFor(t.Context(), t, cc, token, nonceOf(1))
			if err != nil || len(got) != 1 {
				t.Fatalf("%d proofs, %v", len(got), err)
			}
			return got[0]
		}
		first := proof()
		time.Sleep(time.Minute - time.Nanosecond)
		if proof() != first {
			t.Error("there was another proof within the minute")
		}
		time.Sleep(time.Nanosecond)
		second := proof()
		if second == first {
			t.Error("the proof is older than a minute")
		}
		next := w.replaceKey("payments")
		time.Sleep(2 * reread)
		third, err := jose.Parse(proof(), "parley-proof+jwt")
		if err != nil || third.KeyID() != next.Public().Thumbprint() {
			t.Errorf("the proof after a change of the server's key is by %v, %v", third, err)
		}
	})
}

// Row 13.26: a tool that makes a new nonce for each call works at a modest rate. The server remembers 8 nonces of a
// token, and signs 50 more a second for one caller; beyond that it refuses this caller alone, and says what to do.
func TestANewNonceForEachCall26(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "reports", "payments")
		cc := foreigner(t, w, payments{})
		token, other := mint(t, w, "orders", nil), mint(t, w, "orders", claims{"jti": "2"})
		expect := func(what, token string, nonce int, want rpcerr.Reason) {
			t.Helper()
			_, err := proofFor(t.Context(), t, cc, token, nonceOf(nonce))
			if rpcerr.ReasonOf(err) != want {
				t.Errorf("%s: %v, want %q", what, err, want)
			}
			if want == rpcerr.AuthOverloaded && !strings.Contains(status.Convert(err).Message(), "use a nonce for up to a minute") {
				t.Errorf("%s: the message is %q", what, status.Convert(err).Message())
			}
		}
		for n := range 8 + 50 {
			expect("at once", token, n, "")
		}
		expect("one more", token, 100, rpcerr.AuthOverloaded)
		expect("one more by another token", other, 3, "")                              // which has room of its own
		expect("another caller", mint(t, w, "reports", nil), 100, rpcerr.PolicyDenied) // which came further
		expect("one of the 8 again", token, 3, "")
		for n := range 200 {
			time.Sleep(20 * time.Millisecond)
			expect("50 a second", token, 200+n, "")
		}
		expect("51 in a second", token, 101, rpcerr.AuthOverloaded)
		time.Sleep(time.Minute)
		for n := range 8 + 50 {
			expect("a minute later", token, 500+n, "")
		}
	})
}

// Row 13.29: no caller's proofs take the room of another's, and a server never remembers more than 4,096.
func TestSharesOfSessionProofs29(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate := w.identity("payments").Server(nil)
		fill := func(caller principal.ID) (kept int) {
			for n := range 5000 {
				if auth.ReserveProof(gate, caller, strconv.Itoa(n)) == nil {
					kept++
				}
			}
			return kept
		}
		if kept := fill(w.id("insider")); kept != 256 {
			t.Errorf("one caller has %d proofs, want 256", kept)
		}
		total := 256
		for n := range 16 {
			kept := fill(w.id("caller-" + strconv.Itoa(n)))
			if kept == 0 {
				t.Errorf("there is no room for caller %d", n)
			}
			total += kept
		}
		if total > 4096 {
			t.Errorf("%d proofs are remembered", total)
		}
		time.Sleep(time.Minute)
		if kept := fill(w.id("orders")); kept != 256 {
			t.Errorf("a minute later there is room for %d", kept)
		}
	})
}

// Two clients whose proxy sends their calls over one connection get different proofs, even for one nonce.
func TestTwoClientsBehindOneProxyShareNoProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "mallory")
		deny := policy.Code(map[string]*policyv1.Policy{"/shop.payments.v1.PaymentsService/*": {Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_AUTHENTICATED.Enum()}}})
		cc := foreigner(t, w, payments{}, deny)
		got := map[string]bool{}
		for name, token := range map[string]string{
			"orders":                  mint(t, w, "orders", nil),
			"orders by another token": mint(t, w, "orders", claims{"jti": "2"}),
			"mallory":                 mint(t, w, "mallory", nil),
		} {
			proof, err := proofFor(t.Context(), t, cc, token, nonceOf(1))
			if len(proof) != 1 || status.Code(err) != codes.OK && status.Code(err) != codes.PermissionDenied {
				t.Fatalf("%s: %d proofs, %v", name, len(proof), err)
			}
			got[proof[0]] = true
		}
		if len(got) != 3 {
			t.Errorf("there are %d proofs for three callers", len(got))
		}
	})
}
