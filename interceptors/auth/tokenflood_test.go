package auth_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// openGate is the gate of payments and a connection of a client that is not Parley.
func openGate(t testing.TB, w *world, opts ...auth.ServerOption) (*auth.Gate, *grpc.ClientConn) {
	t.Helper()
	roots, certificate := w.certificate()
	gate := w.identity("payments").Server(tableOf(t), append(opts, auth.WithBearer(certificate))...)
	s := serve(t, payments{}, gate.ServerOptions()...)
	return gate, newStranger(t, &tokenWorld{w, s, roots}).ClientConn
}

// 10,000 unknown keys in 25 seconds make an issuer be asked once in 10 seconds at most; honest callers notice nothing.
func TestAttack47UnknownKeyFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		l, e := newLogin(t), &endpoint{}
		e.set(func(*http.Request) (*http.Response, error) {
			time.Sleep(200 * time.Millisecond)
			return answer(jwksOf(t, l.key)), nil
		})
		keys := keyset.URL(issuerKeys, keyset.WithRoundTripper(e), keyset.WithLogger(l.logger()))
		t.Cleanup(func() { _ = keys.Close() })
		gate, cc := openGate(t, w, auth.WithIssuers(auth.Issuer{Name: issuerName, Keys: keys, Subjects: []principal.Pattern{w.domain.Pattern()}}))
		time.Sleep(time.Minute)
		both(t, "before", l, cc, l.key, codes.OK, "")
		fetches, began := e.count(), time.Now()

		payload := b64(`{"iss":"` + issuerName + `"}`)
		unknown := func(n int) string {
			return b64(`{"alg":"EdDSA","kid":"k`+strconv.Itoa(n)+`","typ":"at+jwt"}`) + "." + payload + "." + strings.Repeat("A", 86)
		}
		var all sync.WaitGroup
		for n := range 10_000 {
			all.Go(func() {
				_, err := auth.VerifyBearer(t.Context(), gate, unknown(n))
				refused(t, "unknown key", err, codes.Unauthenticated, rpcerr.CredentialsInvalid)
			})
			if n%2000 == 0 {
				both(t, "meanwhile", l, cc, l.key, codes.OK, "")
				refused(t, "unary", quote(withBearer(t.Context(), unknown(n+10_000)), cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
				_, err := watch(withBearer(t.Context(), unknown(n+20_000)), cc)
				refused(t, "stream", err, codes.Unauthenticated, rpcerr.CredentialsInvalid)
			}
			time.Sleep(2500 * time.Microsecond)
		}
		all.Wait()
		if n, most := e.count()-fetches, 1+int(time.Since(began)/(10*time.Second)); n < 1 || n > most {
			t.Errorf("%d fetches in %v, want %d at most", n, time.Since(began), most)
		}
	})
}

// A key that the trust directory does not know may have been published just now, so a call waits for the next reading.
// A bounded number of them does; all others are refused at once.
func TestAttack47WaitsForTheTrustDirectoryAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		gate, _ := openGate(t, w)
		payload := b64(`{"iss":"spiffe://shop.example/orders"}`)
		verify := func(n int) {
			header := b64(`{"alg":"EdDSA","kid":"k` + strconv.Itoa(n) + `","typ":"at+jwt"}`)
			_, err := auth.VerifyBearer(t.Context(), gate, header+"."+payload+"."+strings.Repeat("A", 86))
			refused(t, "unknown key", err, codes.Unauthenticated, rpcerr.CredentialsInvalid)
		}
		// The directory is read at once for the first unknown key, and for the others a second later: without it, some of
		// the 1500 could wait for a reading that ends in the same moment.
		time.Sleep(reread)
		verify(1500)
		synctest.Wait()
		var atOnce, later atomic.Int32
		var all sync.WaitGroup
		began := time.Now()
		for n := range 1500 {
			all.Go(func() {
				verify(n)
				if time.Since(began) == 0 {
					atOnce.Add(1)
				} else {
					later.Add(1)
				}
			})
		}
		all.Wait()
		if atOnce.Load() != 476 || later.Load() != 1024 {
			t.Errorf("%d calls were refused at once and %d waited, want 476 and 1024", atOnce.Load(), later.Load())
		}
	})
}

// While signatures of nobody take every turn at the check, tokens that are known pass at once and new ones as soon as
// there is a turn; the flood itself is told that the server is overloaded.
func TestAttack49HonestCallersInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate, cc := openGate(t, w)
		known := mint(t, w, "orders", nil)
		if err := quote(withBearer(t.Context(), known), cc); err != nil {
			t.Fatal(err)
		}
		release := auth.HoldTurnstile(gate)
		bad := known[:strings.LastIndexByte(known, '.')+1]
		var all sync.WaitGroup
		for n := range 100 {
			random := bad + strings.Repeat(string(rune('B'+n%20)), 80) + "0000" + strconv.Itoa(n/10) + "A"
			all.Go(func() {
				began := time.Now()
				refused(t, "unary", quote(withBearer(t.Context(), random), cc), codes.ResourceExhausted, rpcerr.AuthOverloaded)
				_, err := watch(withBearer(t.Context(), random), cc)
				refused(t, "stream", err, codes.ResourceExhausted, rpcerr.AuthOverloaded)
				if waited := time.Since(began); waited > 2*time.Second {
					t.Errorf("the flood was kept for %v", waited)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		for range 10 {
			if err := quote(withBearer(t.Context(), known), cc); err != nil {
				t.Errorf("a known caller, unary: %v", err)
			}
			if _, err := watch(withBearer(t.Context(), known), cc); ended(err) != nil {
				t.Errorf("a known caller, stream: %v", err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("known callers waited for %v", waited)
		}
		all.Wait()
		all.Go(func() {
			if err := quote(withBearer(t.Context(), mint(t, w, "orders", claims{"jti": "2"})), cc); err != nil {
				t.Errorf("a new caller: %v", err)
			}
		})
		time.Sleep(500 * time.Millisecond)
		release()
		all.Wait()
	})
}

// A token costs one check of a signature at most, and none if its header, its key or its form can refuse it.
func TestOneSignatureCheckForEachToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments", "mallory")
		gate := w.identity("payments").Server(nil)
		checks := auth.CountSignatureChecks(t.Context(), gate)
		f := newForger(t, w, "orders", "at+jwt", func() claims { return tokenClaims(w, "orders") })
		before := checks.Load()
		for name, attack := range hostileTokens() {
			token := attack(f)
			_, err := auth.VerifyBearer(t.Context(), gate, token)
			refused(t, name, err, codes.Unauthenticated, rpcerr.CredentialsInvalid)
			after := checks.Load()
			_, parseErr := jose.Parse(token, "at+jwt")
			if n := after - before; n > 1 || n != 0 && parseErr != nil {
				t.Errorf("%s: %d signature checks", name, n)
			}
			before = after
		}
		if before == 0 {
			t.Error("nothing was counted")
		}
		honest := f.honest()
		for range 10 {
			if _, err := auth.VerifyBearer(t.Context(), gate, honest); err != nil {
				t.Fatal(err)
			}
		}
		if n := checks.Load() - before; n != 1 {
			t.Errorf("%d signature checks for ten calls with one token", n)
		}
	})
}

// Whoever sends too much is refused before anything is made of it: the one allocation is the refusal.
func TestAttack42OversizedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		gate, cc := openGate(t, w)
		honest := mint(t, w, "orders", nil)
		for name, token := range map[string]string{
			"a byte over 8 KiB": honest + strings.Repeat("A", jose.MaxTokenLength+1-len(honest)),
			"20,000 dots":       strings.Repeat(".", 20_000),
			"24 KiB of a claim": strings.Replace(honest, ".", "."+strings.Repeat("A", 24<<10), 1),
		} {
			refused(t, name+", unary", quote(withBearer(t.Context(), token), cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
			_, err := watch(withBearer(t.Context(), token), cc)
			refused(t, name+", stream", err, codes.Unauthenticated, rpcerr.CredentialsInvalid)
		}
		for name, token := range map[string]string{
			"1 MiB of a claim": honest + strings.Repeat("A", 1<<20), "4 MiB of dots": strings.Repeat(".", 4<<20),
		} {
			if n := testing.AllocsPerRun(10, func() { _, _ = auth.VerifyBearer(t.Context(), gate, token) }); n > 2 {
				t.Errorf("%s costs %v allocations", name, n)
			}
		}
		for _, size := range []int{33 << 10, 1 << 20} {
			ctx := withBearer(t.Context(), honest+strings.Repeat("A", size))
			if err := quote(ctx, cc); err == nil {
				t.Errorf("%d bytes of metadata, unary: the call went through", size)
			}
			if _, err := watch(ctx, cc); err == nil {
				t.Errorf("%d bytes of metadata, stream: the call went through", size)
			}
		}
	})
}
