package retryhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/policy"
)

// Transport is an http.RoundTripper that tries requests again. Make one with [New], and keep it: the budgets are in it. It
// is safe for concurrent use.
type Transport struct {
	next    http.RoundTripper
	policy  retry.OperationPolicy
	options []retry.Option

	mu     sync.Mutex
	hosts  map[string]*host // "" is for those beyond maxHosts
	closed bool
}

// host is what is known of one host.
type host struct {
	retrier          *retry.Retrier
	idempotent, once *retry.Operation
}

// New returns a Transport that sends requests by next, or by http.DefaultTransport if next is nil. P says how often and
// how fast; Idempotency, Classify, MaxHedges and HedgeDelay must not be set in it, because the request decides. Opts are
// for the Retrier of each host. The error tells everything that is wrong with p and opts.
func New(next http.RoundTripper, p retry.OperationPolicy, opts ...retry.Option) (*Transport, error) {
	if next == nil {
		next = http.DefaultTransport
	}
	if p.Idempotency != policy.IdempotencyUnknown || p.Classify != nil || p.MaxHedges != 0 || p.HedgeDelay != 0 {
		return nil, errors.New("retryhttp.New: the policy sets Idempotency, Classify or hedging; leave them out, since each request decides for itself")
	}
	t := &Transport{next: next, policy: p, options: opts, hosts: map[string]*host{}}
	h, err := t.newHost()
	if err != nil {
		return nil, fmt.Errorf("retryhttp.New: %w", err)
	}
	t.hosts[""] = h
	return t, nil
}

// newHost makes what one host needs.
func (t *Transport) newHost() (*host, error) {
	h := &host{retrier: retry.New(t.options...)}
	safe, once := t.policy, t.policy
	safe.Idempotency = policy.Idempotent
	safe.Classify, once.Classify = classify, classify
	var errs [3]error
	errs[0] = h.retrier.Check()
	h.idempotent, errs[1] = h.retrier.Operation("idempotent requests", safe)
	h.once, errs[2] = h.retrier.Operation("other requests", once)
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

// Retrier is the Retrier of a host ("example.com:8080", as in the URLs), with which its budget can be read and its retries
// be switched off. It never returns nil.
func (t *Transport) Retrier(host string) *retry.Retrier { return t.hostOf(host).retrier }

// Close ends all waits between attempts at once, as [retry.Retrier.Close] does; later requests are refused. It returns the
// errors of the Retriers.
func (t *Transport) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	var errs []error
	for _, h := range t.hosts {
		errs = append(errs, h.retrier.Close())
	}
	return errors.Join(errs...)
}

// CloseIdleConnections closes those of the transport below, if it can.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper. See the package comment for what it returns.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !replayable(req) {
		return t.next.RoundTrip(req)
	}
	h := t.hostOf(req.URL.Host)
	operation := h.once
	if idempotent(req) {
		operation = h.idempotent
	}
	x := &exchange{next: t.next, req: req}
	resp, err := retry.Do(req.Context(), operation, x.send)
	if err == nil {
		return resp, nil
	}
	x.closeUnsent()
	switch gone := req.Context().Err(); {
	case gone != nil:
		x.drop()
		return nil, fmt.Errorf("%w: %w", gone, err)
	case x.failed != nil: // the last attempt had an answer
		return x.failed, nil
	default:
		return nil, err
	}
}

// exchange is a request and its attempts, one after the other.
type exchange struct {
	next   http.RoundTripper
	req    *http.Request
	sent   bool           // the request's own body is with the transport, which closes it
	failed *http.Response // of the last attempt, nil if it had none
}

// send makes one attempt. Ctx bounds it until the header of the response is there.
func (x *exchange) send(ctx context.Context) (*http.Response, error) {
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
	resp, err := x.next.RoundTrip(again)
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
		drain(resp)
		return nil, ctx.Err()
	}
	if failure := failureOf(resp); failure != nil {
		x.failed = resp
		return nil, failure
	}
	return resp, nil
}

// copy is the request for one attempt.
func (x *exchange) copy(ctx context.Context) (*http.Request, error) {
	again := x.req.Clone(ctx)
	if x.sent && x.req.GetBody != nil {
		fresh, err := x.req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("retryhttp: the body of the request cannot be had again: %w", err)
		}
		again.Body = fresh
	}
	x.sent = true
	return again, nil
}

// drop lets go of an answer that nobody will see.
func (x *exchange) drop() {
	if x.failed != nil {
		drain(x.failed)
		x.failed = nil
	}
}

// closeUnsent closes the body of a request that nobody sent.
func (x *exchange) closeUnsent() {
	if !x.sent && x.req.Body != nil {
		_ = x.req.Body.Close() // as http.RoundTripper demands; nobody could do anything about an error
	}
}
