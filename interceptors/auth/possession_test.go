package auth_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/rpcerr"
)

// withPossession is the metadata of a call with a token and proofs of possession.
func withPossession(ctx context.Context, token string, proofs ...string) context.Context {
	return metadata.NewOutgoingContext(ctx, metadata.MD{"authorization": {"Bearer " + token}, "workload-proof-token": proofs})
}

func TestAttack61ProofsOfPossession(t *testing.T) {
	type script func(t testing.TB, w *world, token string) []string
	by := func(service, typ string, change claims) script {
		return func(t testing.TB, w *world, token string) []string {
			id := w.id("orders").String()
			return []string{sign(t, w.key(service), typ, claims{
				"iss": id, "sub": id, "aud": w.id("payments").String(), "ath": hash([]byte(token)),
				"mth": paymentsv1.PaymentsService_GetQuote_FullMethodName, "jti": "1", "iat": in(0), "exp": in(time.Minute),
			}.with(change))}
		}
	}
	says := func(change claims) script { return by("orders", "wpt+jwt", change) }
	const (
		mallory = "spiffe://shop.example/mallory"
		invalid = rpcerr.CredentialsInvalid
		good    = rpcerr.Reason("")
	)
	for name, test := range map[string]struct {
		send script
		want rpcerr.Reason
	}{
		"honest":                 {says(nil), good},
		"none":                   {func(testing.TB, *world, string) []string { return nil }, rpcerr.ProofRequired},
		"two":                    {func(t testing.TB, w *world, s string) []string { p := says(nil)(t, w, s); return append(p, p...) }, invalid},
		"empty":                  {func(testing.TB, *world, string) []string { return []string{""} }, invalid},
		"by a thief":             {by("mallory", "wpt+jwt", nil), invalid},
		"by a thief, as itself":  {by("mallory", "wpt+jwt", claims{"iss": mallory, "sub": mallory}), invalid},
		"by nobody":              {strangersProof, invalid},
		"the token itself":       {func(_ testing.TB, _ *world, s string) []string { return []string{s} }, invalid},
		"typ of a bearer token":  {by("orders", "at+jwt", nil), invalid},
		"typ of a server proof":  {by("orders", "parley-proof+jwt", nil), invalid},
		"aud of another server":  {says(claims{"aud": mallory}), invalid},
		"aud in a list":          {says(claims{"aud": []string{"spiffe://shop.example/payments"}}), invalid},
		"ath of another token":   {says(claims{"ath": hash(nil)}), invalid},
		"ath missing":            {says(claims{"ath": nil}), invalid},
		"mth of another method":  {says(claims{"mth": paymentsv1.PaymentsService_Charge_FullMethodName}), invalid},
		"mth missing":            {says(claims{"mth": nil}), invalid},
		"jti missing":            {says(claims{"jti": nil}), invalid},
		"jti too long":           {says(claims{"jti": hash(nil) + hash(nil) + hash(nil)}), invalid},
		"another claim":          {says(claims{"wth": hash(nil)}), invalid},
		"lifetime of 61 s":       {says(claims{"exp": in(61 * time.Second)}), invalid},
		"exp missing":            {says(claims{"exp": nil}), invalid},
		"expired":                {says(claims{"iat": in(-time.Minute), "exp": in(-31 * time.Second)}), rpcerr.CredentialsExpired},
		"not yet valid":          {says(claims{"iat": in(31 * time.Second)}), rpcerr.CredentialsNotYetValid},
		"expired, other server":  {says(claims{"iat": in(-time.Minute), "exp": in(-31 * time.Second), "aud": mallory}), invalid},
		"expired within a skew":  {says(claims{"iat": in(-time.Minute), "exp": in(-29 * time.Second)}), good},
		"44 padding of a proof":  {func(t testing.TB, w *world, s string) []string { return []string{says(nil)(t, w, s)[0] + "="} }, invalid},
		"42 nine KiB of a proof": {func(testing.TB, *world, string) []string { return []string{strings.Repeat("A", 9<<10)} }, invalid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments", "mallory")
				cc := foreigner(t, w, payments{}, proofs(policyv1.Proof_PROOF_WPT))
				token := mint(t, w, "orders", nil)
				code := codes.Unauthenticated
				if test.want == good {
					code = codes.OK
				}
				sent := test.send(t, w, token)
				refused(t, "call", quote(withPossession(t.Context(), token, sent...), cc), code, test.want)
				if test.want == good {
					refused(t, "the same proof again", quote(withPossession(t.Context(), token, sent...), cc), codes.Unauthenticated, rpcerr.ProofReplayed)
				}
				_, err := watch(withPossession(t.Context(), token, sent...), cc) // whose proof must name another method
				want := test.want
				if want == good || want == rpcerr.CredentialsExpired || want == rpcerr.CredentialsNotYetValid {
					want = invalid
				}
				refused(t, "stream", err, codes.Unauthenticated, want)
			})
		})
	}
}

func strangersProof(t testing.TB, w *world, token string) []string {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	id := w.id("orders").String()
	return []string{sign(t, key, "wpt+jwt", claims{
		"iss": id, "sub": id, "aud": w.id("payments").String(), "ath": hash([]byte(token)),
		"mth": paymentsv1.PaymentsService_GetQuote_FullMethodName, "jti": "1", "iat": in(0), "exp": in(time.Minute),
	})}
}

// A retry and a hedge carry a new proof, each of them: the credentials hook makes one for each wire attempt.
func TestAttack62RetriesCarryNewProofs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		w := newTokenWorld(t, payments{quote: func(context.Context) error {
			calls++
			return status.Error(codes.Unavailable, "again")
		}}, proofs(policyv1.Proof_PROOF_WPT))
		cc := w.channel(auth.WithProofPolicy(tableOf(t, proofs(policyv1.Proof_PROOF_WPT))))
		for range 3 { // as an interceptor for retries calls the one of auth
			if err := quote(t.Context(), cc); status.Code(err) != codes.Unavailable || errors.Is(err, auth.ErrUnproven) {
				t.Errorf("attempt: %v", err)
			}
		}
		if calls != 3 {
			t.Errorf("the handler ran %d times in 3 attempts", calls)
		}
		for range 2 {
			if _, err := watch(t.Context(), cc); err != nil {
				t.Errorf("stream: %v", err)
			}
		}
	})
}

// In connection mode the connection is the proof.
func TestConnectionIsAProofOfPossession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		s := serve(t, payments{}, w.identity("payments").ServerOptions(tableOf(t, proofs(policyv1.Proof_PROOF_WPT)))...)
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		if err := quote(t.Context(), cc); err != nil {
			t.Error(err)
		}
		if _, err := watch(t.Context(), cc); err != nil {
			t.Error(err)
		}
	})
}

// Row 13.29: a server remembers proofs for as long as they could be good again, and refuses a caller whose share it
// cannot remember more of, and no other one.
func TestReplaysAreRemembered29(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate := w.identity("payments").Server(nil)
		use := func(n int) (fresh, full bool) { return auth.UseProof(gate, w.id("orders"), strconv.Itoa(n)) }
		for n := range 1 << 16 {
			if fresh, full := use(n); !fresh || full {
				t.Fatalf("proof %d: %v %v", n, fresh, full)
			}
		}
		if fresh, full := use(1 << 16); fresh || !full {
			t.Error("there is room for one more")
		}
		for n := range 1 << 15 {
			if fresh, full := auth.UseProof(gate, w.id("reports"), strconv.Itoa(n)); !fresh || full {
				t.Fatalf("proof %d of another caller: %v %v", n, fresh, full)
			}
		}
		time.Sleep(2*time.Minute - time.Nanosecond)
		if fresh, _ := use(0); fresh {
			t.Error("a proof was forgotten early")
		}
		time.Sleep(time.Nanosecond)
		if fresh, full := use(1 << 16); !fresh || full {
			t.Error("no room came free")
		}
	})
}
