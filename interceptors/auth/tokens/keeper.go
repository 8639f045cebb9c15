package tokens

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/backoff"
	"github.com/parley-rpc/parley/principal"
)

// Keeper keeps the tokens of another source and gets new ones before they expire, so that no call waits for that source
// as long as there is a token that is good. It is safe for concurrent use. [Keep] makes one.
//
// When a token is asked for that has used up about 78 % of its life (70 % to 86 %, drawn anew for each), another one is
// fetched in the background, and the old one is used until 30 seconds before its end. A fetch that fails is repeated
// after a wait of at most 1, 2, 4 and so on to 30 seconds. A call waits only when there is no token that is good, for 2
// seconds at most and not beyond its deadline; all that ask at the same time wait for one fetch.
type Keeper struct {
	source Source
	poll   time.Duration // ask again after so long; zero means when the token says
	ctx    context.Context
	stop   context.CancelFunc
	random func() float64

	mu      sync.Mutex
	closed  bool
	fetches sync.WaitGroup
	entries sync.Map // of *cachedToken by ID
}

// polled is a source whose token may be replaced before its time, and that is quick to ask.
type polled interface{ pollInterval() time.Duration }

var (
	errClosed       = errors.New("tokens: the token cache is closed")
	errExpired      = errors.New("tokens: the token source has no token but one that has expired, or is about to")
	errNoOtherToken = errors.New("tokens: no other token so soon")
)

// Keep returns a cache in front of source. A source that is a cache already is returned as it is.
func Keep(source Source) *Keeper {
	if c, ok := source.(*Keeper); ok {
		return c
	}
	c := &Keeper{source: source, random: rand.Float64}
	c.ctx, c.stop = context.WithCancel(context.Background())
	if p, ok := source.(polled); ok {
		c.poll = p.pollInterval()
	}
	return c
}

// Close ends the fetches that are under way and waits for them. Tokens cannot be had any more. It always returns nil;
// closing twice is harmless.
func (c *Keeper) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.fetches.Wait()
	return nil
}

// String names the source.
func (c *Keeper) String() string { return fmt.Sprintf("tokens.Keep(%v)", c.source) }

// cachedToken is what there is for one audience.
type cachedToken struct {
	current atomic.Pointer[heldToken]

	mu       sync.Mutex
	flight   chan struct{} // closed at the end of the fetch that is under way; nil while none is
	err      error         // of the last fetch
	failures int           // in a row
	retry    time.Time     // not before
	dropped  time.Time
}

// heldToken is a token with its times.
type heldToken struct {
	token   Token
	refresh time.Time // get another from then on
	end     time.Time // do not send it from then on
}

// Token returns the token for audience.
func (c *Keeper) Token(ctx context.Context, audience principal.ID) (Token, error) {
	e := c.entry(audience)
	now := time.Now()
	held := e.current.Load()
	if held != nil && now.Before(held.refresh) {
		return held.token, nil
	}
	flight, err := c.fetch(e, audience, now)
	if held != nil && now.Before(held.end) {
		return held.token, nil
	}
	if flight == nil {
		return Token{}, err
	}
	return e.wait(ctx, flight)
}

// Refresh drops a token that a server found to be expired, and waits for another one. It does so at most once a second.
func (c *Keeper) Refresh(ctx context.Context, audience principal.ID, expired Token) (Token, error) {
	e := c.entry(audience)
	e.drop(expired, time.Now())
	if held := e.current.Load(); held != nil && held.token.Value == expired.Value {
		return Token{}, errNoOtherToken
	}
	return c.Token(ctx, audience)
}

func (c *Keeper) entry(audience principal.ID) *cachedToken {
	if e, ok := c.entries.Load(audience); ok {
		return e.(*cachedToken) //nolint:forcetypeassert // nothing else is stored
	}
	e, _ := c.entries.LoadOrStore(audience, &cachedToken{})
	return e.(*cachedToken) //nolint:forcetypeassert // nothing else is stored
}

func (e *cachedToken) drop(expired Token, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	held := e.current.Load()
	if held == nil || held.token.Value != expired.Value || !e.dropped.IsZero() && now.Sub(e.dropped) < dropInterval {
		return
	}
	e.dropped, e.retry = now, time.Time{}
	e.current.Store(nil)
}

// wait waits for the end of a fetch.
func (e *cachedToken) wait(ctx context.Context, flight <-chan struct{}) (Token, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-flight:
	case <-timer.C:
		return Token{}, fmt.Errorf("tokens: the token source did not answer within %v", wait)
	case <-ctx.Done():
		return Token{}, context.Cause(ctx)
	}
	if held := e.current.Load(); held != nil && time.Now().Before(held.end) {
		return held.token, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return Token{}, e.err
	}
	return Token{}, errExpired
}

// fetch begins to fetch a token unless another call does already, and returns what is closed at the end of that. It
// returns the last error instead while it is too early to try again.
func (c *Keeper) fetch(e *cachedToken, audience principal.ID, now time.Time) (<-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return e.flight, nil
	}
	if now.Before(e.retry) {
		return nil, e.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	e.flight = make(chan struct{})
	c.fetches.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, fetchTimeout)
		defer cancel()
		token, err := c.ask(ctx, audience)
		c.settle(e, token, err, time.Now())
	})
	return e.flight, nil
}

// ask asks the source. A panic of it fails the calls that need a token, and not the process.
func (c *Keeper) ask(ctx context.Context, audience principal.ID) (token Token, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("tokens: the token source panicked: %v", r)
		}
	}()
	return c.source.Token(ctx, audience)
}

// settle notes what a fetch has brought.
func (c *Keeper) settle(e *cachedToken, token Token, err error, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { close(e.flight); e.flight = nil }()
	life := token.Expires.Sub(now)
	if err == nil && (token.Value == "" || life <= 0) {
		err = errExpired
	}
	if e.err = err; err != nil {
		e.failures++
		e.retry = now.Add(backoff.Full(backoff.Bound(firstRetry, lastRetry, e.failures), c.random))
		return
	}
	e.failures, e.retry = 0, time.Time{}
	refresh := time.Duration(refreshAt * (1 + (2*c.random()-1)*refreshJitter) * float64(life))
	held := e.current.Load()
	if held != nil && held.token.Value == token.Value { // the source has nothing newer yet
		refresh = min(refresh, lastRetry)
	}
	if c.poll > 0 {
		refresh = min(refresh, c.poll)
	}
	next := &heldToken{token: token, refresh: now.Add(refresh), end: token.Expires.Add(-min(earlyEnd, life/5))}
	if held != nil && held.token.Value == token.Value {
		next.end = held.end
	}
	e.current.Store(next)
}
