package policy

import (
	"reflect"
	"slices"
	"sync"
)

// merged is the policy of a method in one generation, for the clients of a host or for servers.
type merged struct {
	method Method
	err    error
}

// memory keeps what was merged of one generation, because each View asks for the same methods.
type memory struct {
	mu    sync.Mutex
	known map[calledMethod]*merged
}

// calledMethod is a method of a host, or of a server, where host is empty.
type calledMethod struct{ host, method string }

// find returns what was merged before, or what merge makes. Only methods that a .proto describes are kept: the names of
// others come from outside.
func (m *memory) find(of calledMethod, merge func() merged) *merged {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.known[of]; known != nil {
		return known
	}
	made := merge()
	if !made.method.Described {
		return &made
	}
	if m.known == nil {
		m.known = map[calledMethod]*merged{}
	}
	of.method = made.method.Name
	m.known[of] = &made
	return &made
}

// keeps reports whether whatever was compiled of m holds for other, too: both state the same in the same places.
func (m *merged) keeps(other *merged) bool {
	a, b := &m.method, &other.method
	return m.err == nil && other.err == nil && a.Name == b.Name &&
		a.Described == b.Described && a.ClientStreams == b.ClientStreams && a.ServerStreams == b.ServerStreams &&
		a.Idempotency == b.Idempotency && a.Deadline == b.Deadline && a.Hedge == b.Hedge &&
		a.Retry.identical(&b.Retry) && a.Auth.identical(&b.Auth) && a.Trial.identical(&b.Trial)
}

func (r *Retry) identical(other *Retry) bool {
	return r.MaxAttempts == other.MaxAttempts && r.InitialBackoff == other.InitialBackoff &&
		r.MaxBackoff == other.MaxBackoff && r.PerAttemptTimeout == other.PerAttemptTimeout &&
		identicalLists(r.Codes, other.Codes)
}

func (a *Auth) identical(other *Auth) bool {
	return a.Access == other.Access && a.Carrier == other.Carrier && a.Proof == other.Proof &&
		slices.EqualFunc(a.Peers, other.Peers, identicalLists) && identicalLists(a.Scopes, other.Scopes) &&
		identicalRules(a.Deny, other.Deny) && slices.EqualFunc(a.Allow, other.Allow, func(x, y Value[[]Rule]) bool {
		return x.Source == y.Source && identicalRules(x.Value, y.Value)
	}) && a.User.Presence == other.User.Presence && identicalLists(a.User.Issuers, other.User.Issuers) &&
		identicalLists(a.User.Scopes, other.User.Scopes) && slices.EqualFunc(a.Guards, other.Guards, isGuard)
}

// isGuard reports whether two guards are one. Guards that judge alike may have their rules in other places.
func isGuard(a, b Guard) bool { return reflect.ValueOf(a).Comparable() && a == b }

func identicalLists[T comparable](a, b Value[[]T]) bool {
	return a.Source == b.Source && slices.Equal(a.Value, b.Value)
}

func identicalRules(a, b []Rule) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Source != b[i].Source || !a[i].same(&b[i]) {
			return false
		}
	}
	return true
}
