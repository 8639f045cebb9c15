package authtest

import (
	"context"
	"encoding/json"
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

// Harness is a token source under test and what can be done to what stands behind it.
type Harness struct {
	// Source is the source, or a cache in front of it ([tokens.Keep]).
	Source tokens.Source
	// Audience is one whom it has tokens for.
	Audience principal.ID
	// Other is another one, for whom the tokens must be others. The zero ID leaves that out.
	Other principal.ID
	// Life is how long a new token is valid, at least 10 seconds.
	Life time.Duration
	// Break makes what gives out the tokens fail until it is called with false. Nil leaves out what needs it.
	Break func(broken bool)
	// Stall makes it answer nobody until it is called with false. Nil leaves out what needs it.
	Stall func(stalled bool)
}

// SourceCase is a promise of a source.
type SourceCase struct {
	// Name says what is promised.
	Name  string
	check func(context.Context, Harness) error
	needs func(Harness) bool
}

// Applies reports whether a harness can check the promise.
func (c SourceCase) Applies(h Harness) bool { return c.needs == nil || c.needs(h) }

// Check checks the promise. It lets time pass, so it belongs in a testing/synctest bubble, in which the harness was
// made.
func (c SourceCase) Check(ctx context.Context, h Harness) error { return c.check(ctx, h) }

// Sources checks every promise of a token source that its harness can check, each in a bubble of its own and with a
// harness of its own. What gives out the tokens must stay in memory: in a bubble, nobody waits for a network.
func Sources(t *testing.T, open func(*testing.T) Harness) {
	t.Helper()
	for _, c := range SourceCases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t)
				if !c.Applies(h) {
					t.Log("left out: the harness has not what it needs")
					return
				}
				if err := c.Check(t.Context(), h); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// SourceCases are the promises.
func SourceCases() []SourceCase {
	breaks := func(h Harness) bool { return h.Break != nil }
	return []SourceCase{
		{"a token is good", isGood, nil},
		{"each audience has its own token", ownAudience, func(h Harness) bool { return !h.Other.IsZero() }},
		{"no token is handed out after its end", neverExpired, nil},
		{"many may ask at once", manyAtOnce, nil},
		{"a failure is an error, and passes", failsAndRecovers, breaks},
		{"an outage outlives the token", outlivesTheToken, breaks},
		{"nobody waits beyond his time", keepsToTheDeadline, func(h Harness) bool { return h.Stall != nil }},
		{"an expired token is replaced", replaces, func(h Harness) bool { _, ok := h.Source.(tokens.Refresher); return ok }},
		{"no token is printed", printsNothing, nil},
	}
}

// get returns a token that is good.
func get(ctx context.Context, h Harness, audience principal.ID) (tokens.Token, error) {
	token, err := h.Source.Token(ctx, audience)
	if err != nil {
		return token, fmt.Errorf("no token for %v: %w", audience, err)
	}
	return token, usable(token)
}

func usable(token tokens.Token) error {
	switch left := time.Until(token.Expires); {
	case token.Value == "":
		return errors.New("a token without a value, and without an error")
	case strings.TrimSpace(token.Value) != token.Value || strings.ContainsAny(token.Value, " \r\n"):
		return errors.New("a token with a space or a line end in it")
	case left <= 0:
		return fmt.Errorf("a token that ended %v ago", -left)
	}
	return nil
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

func isGood(ctx context.Context, h Harness) error {
	_, err := get(ctx, h, h.Audience)
	return err
}

func ownAudience(ctx context.Context, h Harness) error {
	for range 2 { // the second time out of a cache
		one, err := get(ctx, h, h.Audience)
		if err != nil {
			return err
		}
		other, err := get(ctx, h, h.Other)
		if err != nil {
			return err
		}
		if one.Value == other.Value {
			return errors.New("two audiences got the same token, which each of them can use against the other")
		}
	}
	return nil
}

func neverExpired(ctx context.Context, h Harness) error {
	for range 40 {
		if _, err := get(ctx, h, h.Audience); err != nil {
			return err
		}
		pass(h.Life / 10)
		synctest.Wait()
	}
	return nil
}

func manyAtOnce(ctx context.Context, h Harness) error {
	var all sync.WaitGroup
	failed := make(chan error, 100)
	for range cap(failed) {
		all.Go(func() {
			_, err := get(ctx, h, h.Audience)
			failed <- err
		})
	}
	all.Wait()
	close(failed)
	var errs []error
	for err := range failed {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func failsAndRecovers(ctx context.Context, h Harness) error {
	h.Break(true)
	token, err := h.Source.Token(ctx, h.Audience)
	if err == nil {
		return errors.New("nobody gave out a token, and there was no error")
	}
	if token.Value != "" {
		return errors.New("a token beside an error")
	}
	h.Break(false)
	pass(time.Minute)
	_, err = get(ctx, h, h.Audience)
	return err
}

func outlivesTheToken(ctx context.Context, h Harness) error {
	if _, err := get(ctx, h, h.Audience); err != nil {
		return err
	}
	h.Break(true)
	for range 30 {
		pass(h.Life / 10)
		synctest.Wait()
		token, err := h.Source.Token(ctx, h.Audience)
		if err != nil {
			continue
		}
		if err := usable(token); err != nil {
			return err
		}
	}
	h.Break(false)
	pass(time.Minute)
	_, err := get(ctx, h, h.Audience)
	return err
}

func keepsToTheDeadline(ctx context.Context, h Harness) error {
	h.Stall(true)
	defer h.Stall(false)
	const patience = time.Second
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	_, err := h.Source.Token(short, h.Audience)
	if waited := time.Since(began); waited > patience {
		return fmt.Errorf("a call that could wait for %v waited for %v", patience, waited)
	}
	if err == nil {
		return errors.New("nobody gave out a token, and there was no error")
	}
	return nil
}

func replaces(ctx context.Context, h Harness) error {
	first, err := get(ctx, h, h.Audience)
	if err != nil {
		return err
	}
	pass(2 * time.Second)
	second, err := h.Source.(tokens.Refresher).Refresh(ctx, h.Audience, first)
	if err != nil {
		return fmt.Errorf("no token in the place of one that a server found to be expired: %w", err)
	}
	if second.Value == first.Value {
		return errors.New("the token that a server found to be expired, again")
	}
	return usable(second)
}

func printsNothing(ctx context.Context, h Harness) error {
	token, err := get(ctx, h, h.Audience)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&text, format+"\n", h.Source)
	}
	slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})).Info("source", slog.Any("source", h.Source))
	if asJSON, err := json.Marshal(h.Source); err == nil {
		text.Write(asJSON)
	}
	if strings.Contains(text.String(), token.Value) {
		return errors.New("the source prints a token")
	}
	return nil
}
