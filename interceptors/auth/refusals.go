package auth

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/recent"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// Refusal is one refused call, handshake or answer, or several equal ones. Its texts may contain text from a peer.
type Refusal struct {
	// Of is the kind of refusal: "call", "handshake", "answer" for an answer of a server in token mode, or "trial" for a
	// call that a policy on trial would have refused.
	Of string
	// Role is this end's part in it: "client" or "server".
	Role string
	// First and Last are when it happened first and last, and Times is how often.
	First, Last time.Time
	Times       uint64
	// Peer is the proven peer, and KeyID its key; zero for one that proved nothing.
	Peer  principal.ID
	KeyID string
	// User is the end user under a pseudonym; "" without one.
	User string
	// Address is the last address of the peer. Agent is the user agent of the peer, which is not proven.
	Address, Agent string
	// Method is the method as "/pkg.Service/Method"; "" for a handshake.
	Method string
	// Reason is the public reason.
	Reason rpcerr.Reason
	// Cause is why, in words that the peer never sees.
	Cause string
	// Decided is the statement of the policy that decided; "" where none did.
	Decided string
}

// refusalKey is what makes two refusals equal.
type refusalKey struct {
	of, who, user, method string
	reason                rpcerr.Reason
	cause                 uint64 // its kind
}

// key returns what the refusal is counted under.
func (r *Refusal) key() refusalKey {
	who := r.Peer.String()
	if r.Peer.IsZero() {
		who, _, _ = net.SplitHostPort(r.Address)
		if who == "" {
			who = r.Address
		}
	}
	return refusalKey{r.Of, who, r.User, r.Method, r.Reason, recent.Kind(r.Cause)}
}

// refusals keeps the recent refusals, of proven peers apart from others, and says which of them are logged.
type refusals struct {
	proven, unproven *recent.Events[refusalKey, Refusal]
}

func newRefusals() refusals {
	limits := recent.Limits{Entries: maxRefusals, Interval: logInterval, Lines: logBurst}
	return refusals{recent.New[refusalKey, Refusal](limits), recent.New[refusalKey, Refusal](limits)}
}

// add keeps a refusal and reports whether it is to be logged, and how many were not logged before it: equal ones, and
// others for which there was no line.
func (r *refusals) add(refusal Refusal, now time.Time) (log bool, equal, others uint64) {
	if refusal.Peer.IsZero() {
		return r.unproven.Add(refusal.key(), refusal, now)
	}
	return r.proven.Add(refusal.key(), refusal, now)
}

func (r *refusals) list() []Refusal {
	var list []Refusal
	for _, entry := range slices.Concat(r.proven.All(), r.unproven.All()) {
		entry.Event.First, entry.Event.Last, entry.Event.Times = entry.First, entry.Last, entry.Times
		list = append(list, entry.Event)
	}
	slices.SortStableFunc(list, func(a, b Refusal) int { return b.Last.Compare(a.Last) })
	return list
}

// attrs are what the log says of a refusal.
func (r *Refusal) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("reason", string(r.Reason))}
	for _, text := range [...]struct{ key, value string }{
		{"role", r.Role},
		{"method", r.Method},
		{"cause", r.Cause},
		{"decided", r.Decided},
		{"kid", r.KeyID},
		{"user", r.User},
		{"remote", r.Address},
		{"agent", r.Agent},
	} {
		if text.value != "" {
			attrs = append(attrs, slog.String(text.key, text.value))
		}
	}
	if !r.Peer.IsZero() {
		attrs = append(attrs, slog.String("peer", r.Peer.String()))
	}
	return attrs
}

func addressOf(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return ""
	}
	return p.Addr.String()
}

func agentOf(ctx context.Context) string {
	if agent := metadata.ValueFromIncomingContext(ctx, "user-agent"); len(agent) > 0 {
		return quote.Cut(agent[0], maxAgentBytes)
	}
	return ""
}
