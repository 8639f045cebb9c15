package authtest_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/authtest"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

// press gives out tokens, from memory.
type press struct {
	mu      sync.Mutex
	count   int
	broken  bool
	stalled chan struct{}
}

const life = 10 * time.Minute

func (p *press) Token(ctx context.Context, audience principal.ID) (tokens.Token, error) {
	p.mu.Lock()
	stalled := p.stalled
	p.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
			return tokens.Token{}, ctx.Err()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken {
		return tokens.Token{}, errors.New("broken")
	}
	p.count++
	return tokens.Token{Value: "token-" + strconv.Itoa(p.count) + "-for-" + audience.Service(), Expires: time.Now().Add(life)}, nil
}

func (p *press) breakDown(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = broken
}

func (p *press) stall(stalled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stalled {
		p.stalled = make(chan struct{})
		return
	}
	close(p.stalled)
	p.stalled = nil
}

// harness puts a source in front of a press.
func harness(t *testing.T, source func(*press) tokens.Source) authtest.Harness {
	t.Helper()
	p := &press{}
	h := authtest.Harness{Source: source(p), Life: life, Break: p.breakDown, Stall: p.stall}
	for name, id := range map[string]*principal.ID{"spiffe://shop.example/payments": &h.Audience, "spiffe://shop.example/ledger": &h.Other} {
		parsed, err := principal.ParseID(name)
		if err != nil {
			t.Fatal(err)
		}
		*id = parsed
	}
	return h
}

func bare(p *press) tokens.Source { return p }

// Parley's cache passes, and so does a source without one.
func TestOurSources(t *testing.T) {
	t.Run("cache", func(t *testing.T) {
		authtest.Sources(t, func(t *testing.T) authtest.Harness {
			return harness(t, func(p *press) tokens.Source {
				kept := tokens.Keep(p)
				t.Cleanup(func() { _ = kept.Close() })
				return kept
			})
		})
	})
	t.Run("bare", func(t *testing.T) {
		authtest.Sources(t, func(t *testing.T) authtest.Harness { return harness(t, bare) })
	})
	t.Run("self-signed", func(t *testing.T) {
		authtest.Sources(t, func(t *testing.T) authtest.Harness {
			orders := identity(t, "spiffe://shop.example/orders")
			h := harness(t, bare)
			h.Source, h.Break, h.Stall = orders.SelfSignedTokens(), nil, nil
			return h
		})
	})
}

// wrong is a source that does one thing wrong.
type wrong struct {
	*press
	first func(p *press, ctx context.Context, audience principal.ID) (tokens.Token, error)
}

func (w *wrong) Token(ctx context.Context, audience principal.ID) (tokens.Token, error) {
	return w.first(w.press, ctx, audience)
}

// forever keeps what it got first.
type forever struct {
	*press
	mu         sync.Mutex
	byAudience map[principal.ID]tokens.Token
	Last       string
}

func (f *forever) Token(ctx context.Context, audience principal.ID) (tokens.Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if token, ok := f.byAudience[audience]; ok {
		return token, nil
	}
	token, err := f.press.Token(ctx, audience)
	if err == nil {
		f.byAudience[audience], f.Last = token, token.Value
	}
	return token, err
}

func (f *forever) Refresh(ctx context.Context, audience principal.ID, _ tokens.Token) (tokens.Token, error) {
	return f.Token(ctx, audience)
}

func TestBrokenSourcesAreRejected(t *testing.T) {
	as := func(first func(*press, context.Context, principal.ID) (tokens.Token, error)) func(*press) tokens.Source {
		return func(p *press) tokens.Source { return &wrong{p, first} }
	}
	keep := func(p *press) tokens.Source { return &forever{press: p, byAudience: map[principal.ID]tokens.Token{}} }
	for name, mutant := range map[string]struct {
		source func(*press) tokens.Source
		by     string
	}{
		"gives nothing": {as(func(*press, context.Context, principal.ID) (tokens.Token, error) { return tokens.Token{}, nil }), "a token is good"},
		"adds a line end": {as(func(p *press, ctx context.Context, audience principal.ID) (tokens.Token, error) {
			token, err := p.Token(ctx, audience)
			token.Value += "\n"
			return token, err
		}), "a token is good"},
		"has one token for all": {as(func(*press, context.Context, principal.ID) (tokens.Token, error) {
			return tokens.Token{Value: "token", Expires: time.Now().Add(life)}, nil
		}), "each audience has its own token"},
		"keeps tokens forever":        {keep, "no token is handed out after its end"},
		"refreshes with the same":     {keep, "an expired token is replaced"},
		"shows its token":             {keep, "no token is printed"},
		"outlives nothing it expires": {keep, "an outage outlives the token"},
		"fails when many ask": {func(p *press) tokens.Source {
			var turn sync.Mutex
			return &wrong{p, func(p *press, ctx context.Context, audience principal.ID) (tokens.Token, error) {
				if !turn.TryLock() {
					return tokens.Token{}, errors.New("busy")
				}
				defer turn.Unlock()
				time.Sleep(time.Millisecond)
				return p.Token(ctx, audience)
			}}
		}, "many may ask at once"},
		"swallows errors": {as(func(p *press, ctx context.Context, audience principal.ID) (tokens.Token, error) {
			token, _ := p.Token(ctx, audience)
			return token, nil
		}), "a failure is an error, and passes"},
		"never recovers": {func(p *press) tokens.Source {
			var failed error
			return &wrong{p, func(p *press, ctx context.Context, audience principal.ID) (token tokens.Token, err error) {
				if failed == nil {
					token, failed = p.Token(ctx, audience)
				}
				return token, failed
			}}
		}, "a failure is an error, and passes"},
		"waits without its context": {as(func(p *press, ctx context.Context, audience principal.ID) (tokens.Token, error) {
			slow, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			return p.Token(slow, audience)
		}), "nobody waits beyond his time"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, c := range authtest.SourceCases() {
					h := harness(t, mutant.source)
					if c.Name != mutant.by {
						continue
					}
					if !c.Applies(h) {
						t.Fatal("the case does not apply")
					}
					if err := c.Check(t.Context(), h); err == nil {
						t.Error("it has passed")
					} else {
						t.Log(err)
					}
					return
				}
				t.Errorf("there is no case %q", mutant.by)
			})
		})
	}
}
