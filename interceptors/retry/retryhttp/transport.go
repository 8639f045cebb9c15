package retryhttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// Transport is an http.RoundTripper that tries requests again. Make one with [New], and keep it: the budgets are in it.
// It is safe for concurrent use.
type Transport struct {
	next    http.RoundTripper
	policy  retry.OperationPolicy
	options []retry.Option

	mu       sync.Mutex
	hosts    map[string]*host // "" is for those beyond maxHosts
	closed   bool
	discards sync.WaitGroup // bodies that are read to their end
	lifetime context.Context
	end      context.CancelFunc
}

// host is what is known of one host.
type host struct {
	retrier    *retry.Retrier
	idempotent *retry.Operation
	other      *retry.Operation
	single     *retry.Operation // for requests that cannot be sent twice
}

// New returns a Transport that sends requests by next, or by http.DefaultTransport if next is nil. P says how often and
// how fast; Idempotency, Classify, MaxHedges and HedgeDelay must not be set in it, because the request decides. Opts
// are for the Retrier of each host. The error tells everything that is wrong with p and opts.
func New(next http.RoundTripper, p retry.OperationPolicy, opts ...retry.Option) (*Transport, error) {
	if next == nil {
		next = http.DefaultTransport
	}
	if p.Idempotency != policy.IdempotencyUnknown || p.Classify != nil || p.MaxHedges != 0 || p.HedgeDelay != 0 {
		return nil, errors.New(
			"retryhttp.New: the policy sets Idempotency, Classify or hedging; leave them out, since each request decides " +
				"for itself",
		)
	}
	t := &Transport{next: next, policy: p, options: opts, hosts: map[string]*host{}}
	t.lifetime, t.end = context.WithCancel(context.Background())
	h, err := t.newHost()
	if err != nil {
		t.end()
		return nil, fmt.Errorf("retryhttp.New: %w", err)
	}
	t.hosts[""] = h
	return t, nil
}

// newHost makes what one host needs.
func (t *Transport) newHost() (*host, error) {
	h := &host{retrier: retry.New(t.options...)}
	safe, other, single := t.policy, t.policy, t.policy
	safe.Idempotency = policy.Idempotent
	safe.Classify, other.Classify, single.Classify = classify, classify, classify
	single.MaxAttempts, single.PerAttemptTimeout = 1, 0
	var errs [4]error
	errs[0] = h.retrier.Check()
	h.idempotent, errs[1] = h.retrier.Operation("idempotent requests", safe)
	h.other, errs[2] = h.retrier.Operation("other requests", other)
	h.single, errs[3] = h.retrier.Operation("requests that cannot be sent twice", single)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errors.Join(err, h.retrier.Close())
	}
	return h, nil
}

func (t *Transport) hostOf(name string) *host {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.hosts[name]; h != nil {
		return h
	}
	if t.closed || len(t.hosts) > maxHosts {
		return t.hosts[""]
	}
	h, err := t.newHost()
	if err != nil { // what New has accepted once is good
		return t.hosts[""]
	}
	t.hosts[name] = h
	return h
}

// Retrier is the Retrier of a host ("example.com:8080", as in the URLs), with which its budget can be read and its
// retries be switched off. It never returns nil.
func (t *Transport) Retrier(host string) *retry.Retrier { return t.hostOf(host).retrier }

// Close ends all waits between attempts at once, as [retry.Retrier.Close] does; later requests are refused. It returns
// the errors of the Retriers.
func (t *Transport) Close() error {
	t.mu.Lock()
	t.closed = true
	var errs []error
	for _, h := range t.hosts {
		errs = append(errs, h.retrier.Close())
	}
	t.mu.Unlock()
	t.end()
	t.discards.Wait()
	return errors.Join(errs...)
}

// discard reads the rest of an answer that no caller sees, so that its connection can be used again. That is clean-up,
// for which a call waits only a moment; then it goes on by itself, for maxDrainTime and until Close.
func (t *Transport) discard(resp *http.Response, release func()) {
	end := sync.OnceFunc(func() {
		release()
		_ = resp.Body.Close() // the rest is lost with the connection
	})
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		end()
		return
	}
	done := make(chan struct{})
	t.discards.Go(func() {
		defer close(done)
		defer context.AfterFunc(t.lifetime, end)()
		late := time.AfterFunc(maxDrainTime, end)
		defer late.Stop()
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
		end()
	})
	t.mu.Unlock()
	enough := time.NewTimer(maxDrainWait)
	defer enough.Stop()
	select {
	case <-done:
	case <-enough.C:
	}
}

// CloseIdleConnections closes those of the transport below, if it can.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper. See the package comment for what it returns.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	h := t.hostOf(req.URL.Host)
	operation := h.other
	switch {
	case !replayable(req):
		operation = h.single
	case idempotent(req):
		operation = h.idempotent
	}
	x := &request{transport: t, req: req}
	resp, err := retry.Do(req.Context(), operation, x.send)
	if err == nil {
		return resp, nil
	}
	x.closeUnsent()
	switch gone := req.Context().Err(); {
	case gone != nil && !errors.Is(err, gone):
		x.drop()
		return nil, fmt.Errorf("%w: %w", gone, err)
	case gone != nil:
		x.drop()
		return nil, err
	case x.failed != nil: // the last attempt had an answer
		return x.failed, nil
	default:
		return nil, err
	}
}

// request is a request and its attempts, one after the other.
type request struct {
	transport *Transport
	req       *http.Request
	sent      bool           // the request's own body is with the transport, which closes it
	failed    *http.Response // of the last attempt, nil if it had none
	release   func()         // what that holds
}

// send makes one attempt. Ctx bounds it until the header of the response is there.
func (x *request) send(ctx context.Context) (*http.Response, error) {
	x.drop()
	// The body is read when the attempt is over for package retry, so it has a context of its own.
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unbind := context.AfterFunc(x.req.Context(), cancel)
	release := func() {
		unbind()
		cancel()
	}
	again, err := x.copy(own)
	if err != nil {
		release()
		return nil, err
	}
	unbound := context.AfterFunc(ctx, cancel)
	resp, err := x.transport.next.RoundTrip(again)
	inTime := unbound()
	if err != nil {
		release()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, nil // its body is also written to, for as long as the caller's context lives
	}
	resp.Body = &body{resp.Body, release}
	if !inTime {
		x.transport.discard(resp, release)
		return nil, ctx.Err()
	}
	if failure := failureOf(resp); failure != nil {
		x.failed, x.release = resp, release
		return nil, failure
	}
	return resp, nil
}

// copy is the request for one attempt.
func (x *request) copy(ctx context.Context) (*http.Request, error) {
	again := x.req.Clone(ctx)
	if x.sent && x.req.GetBody != nil {
		fresh, err := x.req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("retryhttp: GetBody of the request: %w", err)
		}
		again.Body = fresh
	}
	x.sent = true
	return again, nil
}

// drop lets go of an answer that the caller will not see.
func (x *request) drop() {
	if x.failed != nil {
		x.transport.discard(x.failed, x.release)
		x.failed = nil
	}
}

// closeUnsent closes the body of a request that was not sent.
func (x *request) closeUnsent() {
	if !x.sent && x.req.Body != nil {
		_ = x.req.Body.Close() // as http.RoundTripper demands; an error changes nothing
	}
}
