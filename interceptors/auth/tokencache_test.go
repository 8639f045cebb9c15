package auth_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/rpcerr"
)

// cachedGate is a gate of payments with what its cache did not answer.
type cachedGate struct {
	*auth.Gate
	w        *world
	examined atomic.Int64
}

func newCachedGate(t testing.TB) *cachedGate {
	w := newWorld(t)
	w.enroll("orders", "payments")
	g := &cachedGate{Gate: w.identity("payments").Server(nil), w: w}
	auth.CountExaminations(g.Gate, func() { g.examined.Add(1) })
	return g
}

// expect presents a token and compares the reason, and how many tokens were examined so far. A good one it presents
// three times: then the cache has found it by its hash and by its text.
func (g *cachedGate) expect(t testing.TB, what, token string, want rpcerr.Reason, examined int64) {
	t.Helper()
	for range 3 {
		_, err := auth.VerifyBearer(t.Context(), g.Gate, token)
		if rpcerr.ReasonOf(err) != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if want != "" {
			break
		}
	}
	if n := g.examined.Load(); n != examined {
		t.Errorf("%s: %d examinations so far, want %d", what, n, examined)
	}
}

func TestTokenIsExaminedOnceInFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		token := mint(t, g.w, "orders", claims{"exp": in(time.Hour)})
		g.expect(t, "first", token, "", 1)
		time.Sleep(5*time.Minute - time.Nanosecond)
		g.expect(t, "remembered", token, "", 1)
		time.Sleep(time.Nanosecond)
		g.expect(t, "after 5 minutes", token, "", 2)
	})
}

func TestRememberedTokenEndsWithItsTime29(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		token := mint(t, g.w, "orders", claims{"exp": in(10 * time.Second)})
		time.Sleep(40*time.Second - time.Nanosecond)
		g.expect(t, "in the skew", token, "", 1)
		time.Sleep(time.Nanosecond)
		g.expect(t, "expired", token, rpcerr.CredentialsExpired, 2)
	})
}

// A revoked key ends every token that was remembered, and only its own.
func TestAttack59RememberedTokenEndsWithItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		g.w.enroll("ledger")
		time.Sleep(reread)
		token, other := mint(t, g.w, "orders", nil), mint(t, g.w, "ledger", nil)
		g.expect(t, "before", token, "", 1)
		g.expect(t, "of another", other, "", 2)
		g.w.revoke("orders")
		time.Sleep(reread)
		g.expect(t, "revoked", token, rpcerr.CredentialsInvalid, 2)
		g.expect(t, "of another, after", other, "", 2)
	})
}

func TestAttack60ClockStepForgetsEveryToken(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 31 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			g := newCachedGate(t)
			token := mint(t, g.w, "orders", nil)
			g.expect(t, "first", token, "", 1)
			auth.SetClock(g.Gate, step)
			g.expect(t, "after the step", token, "", 2)
			g.expect(t, "again", token, "", 2)
			if !strings.Contains(g.w.log.String(), "the clock was set") {
				t.Error("the log does not tell")
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		token := mint(t, g.w, "orders", nil)
		g.expect(t, "first", token, "", 1)
		auth.SetClock(g.Gate, 30*time.Second)
		g.expect(t, "after a step within the skew", token, "", 1)
	})
}

// The same bad token again and again costs no signature check: it is answered even while there is no turn at one.
func TestAttack48SameBadTokenFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		bad := mint(t, g.w, "orders", nil)
		bad = bad[:len(bad)-86] + strings.Repeat("A", 86)
		g.expect(t, "first", bad, rpcerr.CredentialsInvalid, 0)
		release := auth.HoldTurnstile(g.Gate)
		start := time.Now()
		for range 1000 {
			g.expect(t, "again", bad, rpcerr.CredentialsInvalid, 0)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the flood waited %v for signature checks", waited)
		}
		time.Sleep(10 * time.Second)
		g.expect(t, "after 10 s, without a turn", bad, rpcerr.AuthOverloaded, 0)
		release()
	})
}

// Random signatures under a known key get no further than the turnstile, which is no obstacle for tokens that are
// known.
func TestAttack49RandomSignatureFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		honest := mint(t, g.w, "orders", nil)
		g.expect(t, "honest", honest, "", 1)
		release := auth.HoldTurnstile(g.Gate)
		defer release()
		for n := range 5 {
			bad := honest[:len(honest)-86] + strings.Repeat(string(rune('B'+n)), 85) + "A"
			g.expect(t, "flood", bad, rpcerr.AuthOverloaded, 1)
		}
		g.expect(t, "honest, meanwhile", honest, "", 1)
	})
}

// What is remembered is bounded, whoever sends how much.
func TestAttack47RememberedTokensAreBounded(t *testing.T) {
	g := newCachedGate(t)
	honest := mint(t, g.w, "orders", nil)
	g.expect(t, "first", honest, "", 1)
	auth.RememberLike(g.Gate, honest, 4500)
	prefix, tail := honest[:len(honest)-86], strings.Repeat("A", 80)
	for n := range 1100 {
		six := "000000" + strconv.Itoa(n)
		_, _ = auth.VerifyBearer(t.Context(), g.Gate, prefix+six[len(six)-6:]+tail)
	}
	if good, bad := auth.CachedTokens(g.Gate); good > 4096 || good < 3500 || bad != 1024 {
		t.Errorf("%d good and %d bad tokens are remembered, want 4096 at most and 1024", good, bad)
	}
}

// Tokens of whose places there are fewer than of tokens do not take each other's, nor each other's meaning.
func TestManyRememberedTokensKeepTheirPeers(t *testing.T) {
	g := newCachedGate(t)
	g.w.enroll("billing")
	names := []string{"orders", "billing"}
	var tokens []string
	for n := range 300 {
		tokens = append(tokens, mint(t, g.w, names[n%2], claims{"jti": strconv.Itoa(n)}))
	}
	for range 3 {
		for n, token := range tokens {
			p, err := auth.VerifyBearer(t.Context(), g.Gate, token)
			if err != nil || p.ID != g.w.id(names[n%2]) {
				t.Fatalf("token %d of %s: %v, %v", n, names[n%2], p.ID, err)
			}
		}
	}
	if n := g.examined.Load(); n != 300 {
		t.Errorf("%d examinations of 300 tokens", n)
	}
}

// Nothing but a signature that does not hold is remembered of bad tokens: the rest may be good a moment later.
func TestOnlyBadSignaturesAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		early := mint(t, g.w, "orders", claims{"nbf": in(45 * time.Second)})
		stranger, _ := strings.CutPrefix(strangerToken(t, g.w)[0], "Bearer ")
		for _, token := range []string{early, stranger, "x.y.z", early + "=", mint(t, g.w, "orders", claims{"aud": "nobody"})} {
			_, _ = auth.VerifyBearer(t.Context(), g.Gate, token)
		}
		if good, bad := auth.CachedTokens(g.Gate); good != 0 || bad != 0 {
			t.Errorf("%d good and %d bad tokens are remembered", good, bad)
		}
		time.Sleep(15 * time.Second)
		if _, err := auth.VerifyBearer(t.Context(), g.Gate, early); err != nil {
			t.Errorf("when its time has come: %v", err)
		}
	})
}

// Many who bring the same new token wait for one examination, and none for longer than its own time.
func TestNewTokenIsExaminedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCachedGate(t)
		token := mint(t, g.w, "orders", nil)
		release := auth.HoldTurnstile(g.Gate)
		hasty, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := auth.VerifyBearer(hasty, g.Gate, token); !errors.Is(err, rpcerr.AuthOverloaded) {
				t.Errorf("the one whose time is over: %v", err)
			}
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				if _, err := auth.VerifyBearer(t.Context(), g.Gate, token); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		release()
		wg.Wait()
		if n := g.examined.Load(); n != 1 {
			t.Errorf("%d examinations, want 1", n)
		}
	})
}
