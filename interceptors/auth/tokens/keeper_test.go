package tokens_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

// press is a source of tokens called t1, t2 and so on, each with the life that is set.
type press struct {
	mu    sync.Mutex
	life  time.Duration
	delay time.Duration
	err   error
	same  bool // the last one again
	panic bool
	count int
	last  tokens.Token
	times []time.Time
}

func (m *press) Token(ctx context.Context, audience principal.ID) (tokens.Token, error) {
	m.mu.Lock()
	m.times = append(m.times, time.Now())
	delay, panics := m.delay, m.panic
	m.mu.Unlock()
	if panics {
		panic("source")
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return tokens.Token{}, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return tokens.Token{}, m.err
	}
	if !m.same {
		m.count++
		m.last = tokens.Token{Value: fmt.Sprintf("t%d of %s", m.count, audience.Service()), Expires: time.Now().Add(m.life)}
	}
	return m.last, nil
}

func (m *press) set(change func(*press)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m)
}

func (m *press) asked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.times)
}

// cached returns a cache whose every jitter is in its middle, closed at the end of the test.
func cached(t testing.TB, source tokens.Source) *tokens.Keeper {
	t.Helper()
	c := tokens.Keep(source)
	tokens.SetRandom(c, 0.5)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func wantToken(t testing.TB, c *tokens.Keeper, audience principal.ID, want string, took time.Duration) {
	t.Helper()
	began := time.Now()
	got, err := c.Token(t.Context(), audience)
	if err != nil || got.Value != want || time.Since(began) != took {
		t.Errorf("got %q, %v after %v, want %q after %v", got.Value, err, time.Since(began), want, took)
	}
}

// A token is renewed in the background after 78 % of its life, and nobody waits for that.
func TestTokensAreRenewedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &press{life: 10 * time.Minute, delay: time.Second}
		c, payments, ledger := cached(t, m), id(t, "payments"), id(t, "ledger")
		wantToken(t, c, payments, "t1 of payments", time.Second)
		wantToken(t, c, ledger, "t2 of ledger", time.Second)
		time.Sleep(468*time.Second - time.Second - 1) // 0.78 * 600 s, of which ledger has used a second less
		wantToken(t, c, payments, "t1 of payments", 0)
		synctest.Wait()
		if n := m.asked(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Nanosecond)
		for range 100 {
			wantToken(t, c, payments, "t1 of payments", 0)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		wantToken(t, c, payments, "t3 of payments", 0)
		if n := m.asked(); n != 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

// The time of a renewal is drawn, so that a thousand replicas do not come at once.
func TestTokenRenewalIsSpread(t *testing.T) {
	for random, want := range map[float64]time.Duration{0: 70200 * time.Millisecond, 0.5: 78 * time.Second, 0.999999: 85799 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			m := &press{life: 100 * time.Second}
			c, payments := cached(t, m), id(t, "payments")
			tokens.SetRandom(c, random)
			wantToken(t, c, payments, "t1 of payments", 0)
			for m.asked() == 1 {
				time.Sleep(time.Millisecond)
				if _, err := c.Token(t.Context(), payments); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			if got := m.times[1].Sub(m.times[0]); got < want-time.Millisecond || got > want+time.Millisecond {
				t.Errorf("renewed after %v, want %v", got, want)
			}
		})
	}
}

// While the source fails the old token is used until 30 seconds before its end, and the source is asked again and
// again.
func TestTokenSourceDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &press{life: 10 * time.Minute}
		c, payments := cached(t, m), id(t, "payments")
		wantToken(t, c, payments, "t1 of payments", 0)
		m.set(func(m *press) { m.err = errUnexpected })
		for began := time.Now(); time.Since(began) < 570*time.Second; time.Sleep(100 * time.Millisecond) {
			wantToken(t, c, payments, "t1 of payments", 0)
		}
		// From 468 s on after 0.5, 1, 2, 4, 8 and then 15 s, each rounded up to the next call.
		if n := m.asked(); n < 10 || n > 13 {
			t.Errorf("asked %d times", n)
		}
		if _, err := c.Token(t.Context(), payments); !errors.Is(err, errUnexpected) {
			t.Errorf("30 seconds before the end: %v", err)
		}
		m.set(func(m *press) { m.err = nil })
		time.Sleep(15 * time.Second)
		wantToken(t, c, payments, "t2 of payments", 0)
	})
}

// A call that finds no token waits for 2 seconds at most, and not beyond its deadline; a thousand wait for one fetch.
func TestWaitForAToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &press{life: 10 * time.Minute, delay: 1500 * time.Millisecond}
		c, payments := cached(t, m), id(t, "payments")
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { wantToken(t, c, payments, "t1 of payments", 1500*time.Millisecond) })
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Token(ctx, payments); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a short call: %v", err)
		}
		all.Wait()
		if n := m.asked(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		m.set(func(m *press) { m.delay = time.Hour })
		began := time.Now()
		if _, err := c.Token(t.Context(), id(t, "ledger")); err == nil || time.Since(began) != 2*time.Second {
			t.Errorf("a slow source: %v after %v", err, time.Since(began))
		}
		time.Sleep(3 * time.Second) // the fetch is given up after 5
		began = time.Now()
		if _, err := c.Token(t.Context(), id(t, "ledger")); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(began) != 0 {
			t.Errorf("and then: %v after %v", err, time.Since(began))
		}
	})
}

// A token that a server found to be expired is dropped, at most once a second.
func TestTokenIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &press{life: 10 * time.Minute}
		c, payments := cached(t, m), id(t, "payments")
		first, err := c.Token(t.Context(), payments)
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.Refresh(t.Context(), payments, first)
		if err != nil || second.Value != "t2 of payments" {
			t.Errorf("got %q, %v", second.Value, err)
		}
		if again, err := c.Refresh(t.Context(), payments, first); err != nil || again.Value != second.Value {
			t.Errorf("what others saw expire before: %q, %v", again.Value, err)
		}
		if _, err := c.Refresh(t.Context(), payments, second); err == nil {
			t.Error("dropped twice in a second")
		}
		wantToken(t, c, payments, "t2 of payments", 0)
		time.Sleep(time.Second)
		if third, err := c.Refresh(t.Context(), payments, second); err != nil || third.Value != "t3 of payments" {
			t.Errorf("got %q, %v", third.Value, err)
		}
	})
}

// A source that has nothing newer is asked again every 30 seconds, and what it has is used to its end.
func TestSameTokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &press{life: 10 * time.Minute}
		c, payments := cached(t, m), id(t, "payments")
		wantToken(t, c, payments, "t1 of payments", 0)
		m.set(func(m *press) { m.same = true })
		for range 569 {
			time.Sleep(time.Second)
			wantToken(t, c, payments, "t1 of payments", 0)
		}
		if n := m.asked(); n < 4 || n > 8 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(time.Minute)
		if _, err := c.Token(t.Context(), payments); err == nil {
			t.Error("an expired token was used")
		}
	})
}

func TestTokenSourceThatMisbehaves(t *testing.T) {
	for name, m := range map[string]*press{
		"panics": {panic: true}, "empty": {same: true}, "expired": {life: -time.Second}, "ends now": {},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := cached(t, m)
			if token, err := c.Token(t.Context(), id(t, "payments")); err == nil {
				t.Errorf("%s: %v", name, token)
			}
		})
	}
}

func TestTokenKeeperCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &press{life: time.Minute, delay: 4 * time.Second}
		c, payments := tokens.Keep(m), id(t, "payments")
		if tokens.Keep(c) != c {
			t.Error("a cache of a cache")
		}
		done := make(chan error)
		go func() {
			_, err := c.Token(t.Context(), payments)
			done <- err
		}()
		synctest.Wait()
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := c.Token(t.Context(), payments); err == nil {
			t.Error("a token from a closed cache")
		}
	})
}

// A token shows itself nowhere.
func TestTokenDoesNotPrint(t *testing.T) {
	token := tokens.Token{Value: "eyJzZWNyZXQ", Expires: time.Unix(1, 0)}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if text := fmt.Sprintf(format, token); strings.Contains(text, "eyJ") || strings.Contains(text, "65794a") {
			t.Errorf("%s shows %s", format, text)
		}
	}
	source := tokens.Text("eyJzZWNyZXQ")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, source); strings.Contains(text, "eyJ") {
			t.Errorf("%s shows %s", format, text)
		}
	}
	log := &bytes.Buffer{}
	slog.New(slog.NewTextHandler(log, nil)).
		Info("m", slog.Any("token", token), slog.Any("source", source), slog.Any("pointer", &token))
	if strings.Contains(log.String(), "eyJ") {
		t.Errorf("the log shows %s", log)
	}
}
