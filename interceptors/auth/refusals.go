package auth

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// Refusal is a call, a handshake or an answer that was refused, or several equal ones. What a peer wrote may stand in
// its texts.
type Refusal struct {
	// Of is what was refused: "call", "handshake", "answer" for an answer of a server in token mode, or "trial" for a call
	// that passed although a policy on trial would refuse it.
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
	// Address is where the peer was, the last time; Agent is what it calls its program, unproven.
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
	return refusalKey{r.Of, who, r.User, r.Method, r.Reason}
}

// refusals keeps the recent refusals, and says which of them are logged: of equal ones the first at once and then one
// in each logInterval, and within it no more than logBurst of proven peers and as many of others.
type refusals struct {
	mu               sync.Mutex
	proven, unproven recentRefusals
}

// recentRefusals are entries in the order in which they happened last, the oldest first.
type recentRefusals struct {
	entries  []*refusalEntry
	byKey    map[refusalKey]*refusalEntry
	window   time.Time // when the interval began
	lines    int       // within it
	unlogged uint64    // for which there was no line
}

type refusalEntry struct {
	Refusal
	logged   time.Time
	unlogged uint64 // since then
}

// add keeps a refusal and reports whether it is to be logged, and how many were not logged before it: equal ones, and
// those of other peers that had no room.
func (r *refusals) add(refusal Refusal) (log bool, equal, others uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := refusal.Last
	recent := &r.unproven
	if !refusal.Peer.IsZero() {
		recent = &r.proven
	}
	entry := recent.add(refusal)
	entry.unlogged++
	if !entry.logged.IsZero() && now.Sub(entry.logged) < logInterval {
		return false, 0, 0
	}
	if now.Sub(recent.window) >= logInterval {
		recent.window, recent.lines = now, 0
	}
	if recent.lines == logBurst {
		recent.unlogged++
		return false, 0, 0
	}
	recent.lines++
	others, recent.unlogged = recent.unlogged, 0
	equal = entry.unlogged - 1
	entry.logged, entry.unlogged = now, 0
	return true, equal, others
}

func (r *recentRefusals) add(refusal Refusal) *refusalEntry {
	key := refusal.key()
	entry := r.byKey[key]
	if entry == nil {
		if len(r.entries) == maxRefusals {
			delete(r.byKey, r.entries[0].key())
			r.entries = slices.Delete(r.entries, 0, 1)
		}
		if r.byKey == nil {
			r.byKey = map[refusalKey]*refusalEntry{}
		}
		entry = &refusalEntry{Refusal: refusal}
		entry.First = refusal.Last
		r.byKey[key] = entry
	} else {
		refusal.First, refusal.Times = entry.First, entry.Times
		entry.Refusal = refusal
		at := slices.Index(r.entries, entry)
		r.entries = slices.Delete(r.entries, at, at+1)
	}
	entry.Times++
	r.entries = append(r.entries, entry)
	return entry
}

func (r *refusals) list() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Refusal
	for _, entry := range slices.Concat(r.proven.entries, r.unproven.entries) {
		list = append(list, entry.Refusal)
	}
	slices.SortStableFunc(list, func(a, b Refusal) int { return b.Last.Compare(a.Last) })
	return list
}

// attrs are what the log says of a refusal.
func (r *Refusal) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("reason", string(r.Reason))}
	for _, text := range [...]struct{ key, value string }{
		{"role", r.Role}, {"method", r.Method}, {"cause", r.Cause}, {"decided", r.Decided}, {"kid", r.KeyID},
		{"user", r.User},
		{"remote", r.Address}, {"agent", r.Agent},
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
		return short(agent[0])
	}
	return ""
}

// short cuts what a caller wrote to a length with which it cannot fill memory or log.
func short(text string) string {
	if len(text) <= maxAgentBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxAgentBytes], "") + "..."
}
