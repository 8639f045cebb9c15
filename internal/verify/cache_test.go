package verify_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/rpcerr"
)

// cached is a verifier of payments, the tokens that it checked, which its cache did not answer, and the steps of the
// clock that the cache has noticed.
type cached struct {
	*verify.Verifier
	cache   *verify.Cache
	turn    turnstile.Turnstile
	set     *keyset.Set
	keys    []*jose.PrivateKey
	checked atomic.Int64
	steps   []time.Duration
}

// newCached returns a verifier of tokens that are signed by either of two keys.
func newCached(t testing.TB) *cached {
	t.Helper()
	c := &cached{turn: turnstile.New()}
	var jwks []string
	for range 2 {
		key, err := jose.GenerateKey(jose.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		jwk, err := key.Public().MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		c.keys, jwks = append(c.keys, key), append(jwks, string(jwk))
	}
	c.set = keyset.Static([]byte(`{"keys":[` + strings.Join(jwks, ",") + `]}`))
	t.Cleanup(func() { _ = c.set.Close() })
	p := &verify.Profile{Name: login, Keys: verify.IssuerKeys(c.set)}
	p.Default(paymentsID(t))
	c.cache = verify.NewCache(func(step time.Duration) { c.steps = append(c.steps, step) })
	var err error
	c.Verifier, err = verify.New(nil, []*verify.Profile{p}, c.turn, c.cache, func(*verify.Token) error {
		c.checked.Add(1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// token is an honest token by the first key, with changes.
func (c *cached) token(t testing.TB, change map[string]any) string {
	return sign(t, c.keys[0], "at+jwt", change)
}

// withSignature is a token with another signature: one that no key has made.
func withSignature(token, signature string) string {
	return token[:len(token)-86] + signature + strings.Repeat("A", 86-len(signature))
}

func (c *cached) verify(ctx context.Context, token string) (*verify.Token, error) {
	return c.Verify(ctx, token, time.Now())
}

// holdTurnstile takes every turn at the signature check, until release gives them back.
func (c *cached) holdTurnstile() (release func()) {
	for range cap(c.turn) {
		c.turn <- struct{}{}
	}
	return func() {
		for range cap(c.turn) {
			<-c.turn
		}
	}
}

// expect verifies a token and compares the reason of its refusal, and how many tokens were checked so far. It verifies
// a good token three times: then the cache has found it by its hash and by its text.
func (c *cached) expect(t testing.TB, what, token string, want rpcerr.Reason, checked int64) {
	t.Helper()
	for range 3 {
		_, err := c.verify(t.Context(), token)
		if got := reasonOf(err); got != want {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
		if want != "" {
			break
		}
	}
	if n := c.checked.Load(); n != checked {
		t.Errorf("%s: %d tokens were checked so far, want %d", what, n, checked)
	}
}

// reasonOf is the reason that a caller with such a token is refused with, and "" without an error.
func reasonOf(err error) rpcerr.Reason {
	if err == nil {
		return ""
	}
	return verify.CallerRefusal(err).Reason
}

func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func TestTokenIsCheckedOnceInFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		token := c.token(t, map[string]any{"exp": in(time.Hour)})
		c.expect(t, "first", token, "", 1)
		time.Sleep(5*time.Minute - time.Nanosecond)
		c.expect(t, "remembered", token, "", 1)
		time.Sleep(time.Nanosecond)
		c.expect(t, "after 5 minutes", token, "", 2)
	})
}

func TestRememberedTokenEndsWithItsTime29(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		token := c.token(t, map[string]any{"exp": in(10 * time.Second)})
		time.Sleep(40*time.Second - time.Nanosecond)
		c.expect(t, "in the skew", token, "", 1)
		time.Sleep(time.Nanosecond)
		c.expect(t, "expired", token, rpcerr.CredentialsExpired, 2)
	})
}

// A revoked key ends every token that was remembered, and only its own.
func TestAttack59RememberedTokenEndsWithItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		token, other := c.token(t, nil), sign(t, c.keys[1], "at+jwt", nil)
		c.expect(t, "before", token, "", 1)
		c.expect(t, "by another key", other, "", 2)
		c.set.Invalidate(c.keys[0].Public().KeyID())
		c.expect(t, "revoked", token, rpcerr.CredentialsInvalid, 2)
		c.expect(t, "by another key, after", other, "", 2)
	})
}

func TestAttack60ClockStepForgetsEveryToken(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 31 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			c := newCached(t)
			token := c.token(t, nil)
			c.expect(t, "first", token, "", 1)
			c.cache.SetClock(step)
			c.expect(t, "after the step", token, "", 2)
			c.expect(t, "again", token, "", 2)
			if !slices.Equal(c.steps, []time.Duration{step}) {
				t.Errorf("the steps %v were reported, want %v", c.steps, step)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		token := c.token(t, nil)
		c.expect(t, "first", token, "", 1)
		c.cache.SetClock(30 * time.Second)
		c.expect(t, "after a step within the skew", token, "", 1)
	})
}

// A clock that is set makes no token good that is not, and none bad that is good.
func TestAttack60ClockStepChangesNoDecision(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			c := newCached(t)
			short := c.token(t, map[string]any{"exp": in(time.Minute)})
			long := c.token(t, map[string]any{"exp": in(time.Hour)})
			c.expect(t, "short, before", short, "", 1)
			c.expect(t, "long, before", long, "", 2)
			c.cache.SetClock(step)
			c.expect(t, "short, after", short, "", 3)
			time.Sleep(2 * time.Minute)
			c.expect(t, "short, expired", short, rpcerr.CredentialsExpired, 4)
			c.expect(t, "long, not expired", long, "", 5)
		})
	}
}

// The same bad token again and again costs no signature check: it is answered even while there is no turn at one.
func TestAttack48SameBadTokenFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		bad := withSignature(c.token(t, nil), "")
		c.expect(t, "first", bad, rpcerr.CredentialsInvalid, 0)
		release := c.holdTurnstile()
		start := time.Now()
		for range 1000 {
			c.expect(t, "again", bad, rpcerr.CredentialsInvalid, 0)
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("the flood waited %v for signature checks", waited)
		}
		time.Sleep(10 * time.Second)
		c.expect(t, "after 10 s, without a turn", bad, rpcerr.AuthOverloaded, 0)
		release()
	})
}

// Random signatures under a known key get no further than the turnstile, which is no obstacle for tokens that are
// known.
func TestAttack49RandomSignatureFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		honest := c.token(t, nil)
		c.expect(t, "honest", honest, "", 1)
		release := c.holdTurnstile()
		defer release()
		for n := range 5 {
			c.expect(t, "flood", withSignature(honest, strings.Repeat(string(rune('B'+n)), 85)), rpcerr.AuthOverloaded, 1)
		}
		c.expect(t, "honest, meanwhile", honest, "", 1)
	})
}

// What is remembered is bounded, whoever sends how much.
func TestAttack47RememberedTokensAreBounded(t *testing.T) {
	c := newCached(t)
	honest := c.token(t, nil)
	c.expect(t, "first", honest, "", 1)
	c.cache.RememberLike(honest, 4500)
	for n := range 1100 {
		_, _ = c.verify(t.Context(), withSignature(honest, strconv.Itoa(n)))
	}
	if good, bad := c.cache.Remembered(); good > 4096 || good < 3500 || bad != 1024 {
		t.Errorf("%d good and %d bad tokens are remembered, want 4096 at most and 1024", good, bad)
	}
}

// There are fewer places than tokens: no token takes the place of another that is good, nor its meaning.
func TestManyRememberedTokensKeepTheirSubjects(t *testing.T) {
	c := newCached(t)
	var tokens []string
	for n := range 300 {
		tokens = append(tokens, c.token(t, map[string]any{"sub": "user " + strconv.Itoa(n)}))
	}
	for range 3 {
		for n, token := range tokens {
			if got, err := c.verify(t.Context(), token); err != nil || got.Subject != "user "+strconv.Itoa(n) {
				t.Fatalf("token %d is %v, %v", n, got, err)
			}
		}
	}
	if n := c.checked.Load(); n != 300 {
		t.Errorf("%d checks of 300 tokens", n)
	}
}

// Of bad tokens nothing is remembered but a signature that does not hold: the rest may be good a moment later.
func TestOnlyBadSignaturesAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		stranger, _ := newKey(t)
		early := c.token(t, map[string]any{"nbf": in(45 * time.Second)})
		for _, token := range []string{
			early, sign(t, stranger, "at+jwt", nil), "x.y.z", early + "=", c.token(t, map[string]any{"aud": "nobody"}),
		} {
			if _, err := c.verify(t.Context(), token); err == nil {
				t.Errorf("%s is good", token)
			}
		}
		if good, bad := c.cache.Remembered(); good != 0 || bad != 0 {
			t.Errorf("%d good and %d bad tokens are remembered", good, bad)
		}
		time.Sleep(15 * time.Second)
		if _, err := c.verify(t.Context(), early); err != nil {
			t.Errorf("when its time has come: %v", err)
		}
	})
}

// Many who bring the same new token wait for one check, and none for longer than its own time.
func TestNewTokenIsCheckedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCached(t)
		token := c.token(t, nil)
		release := c.holdTurnstile()
		hasty, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.verify(hasty, token); !errors.Is(err, turnstile.ErrOverloaded) {
				t.Errorf("the one whose time is over: %v", err)
			}
		})
		synctest.Wait()
		for range 100 {
			wg.Go(func() {
				if _, err := c.verify(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		release()
		wg.Wait()
		if n := c.checked.Load(); n != 1 {
			t.Errorf("%d checks, want 1", n)
		}
	})
}
