package policy

import (
	"cmp"
	"slices"
	"time"
)

// terms is what one statement, or several of them merged, says about a method.
type terms struct {
	auth     Auth
	trial    Auth
	deadline Value[time.Duration]
	retry    Retry
	hedge    Hedge
	// What a layer says where the .proto says nothing. It is not merged here, because the .proto decides whether it counts.
	idempotency Value[Idempotency]
}

// merge returns terms that are at least as strict as both a and b. Where both are equally strict, the source of a stays.
func merge(a, b terms) terms {
	return terms{
		auth:     mergeAuth(a.auth, b.auth),
		trial:    mergeAuth(a.trial, b.trial),
		deadline: smallest(a.deadline, b.deadline),
		retry: Retry{
			MaxAttempts:       smallest(a.retry.MaxAttempts, b.retry.MaxAttempts),
			InitialBackoff:    largest(a.retry.InitialBackoff, b.retry.InitialBackoff),
			MaxBackoff:        largest(a.retry.MaxBackoff, b.retry.MaxBackoff),
			PerAttemptTimeout: smallest(a.retry.PerAttemptTimeout, b.retry.PerAttemptTimeout),
			Codes:             intersection(a.retry.Codes, b.retry.Codes),
		},
		hedge: Hedge{
			MaxHedges: smallest(a.hedge.MaxHedges, b.hedge.MaxHedges),
			Delay:     largest(a.hedge.Delay, b.hedge.Delay),
		},
	}
}

func mergeAuth(a, b Auth) Auth {
	return Auth{
		Access:  largest(a.Access, b.Access),
		Peers:   bothLists(a.Peers, b.Peers),
		Scopes:  union(a.Scopes, b.Scopes),
		Carrier: largest(a.Carrier, b.Carrier),
		Proof:   largest(a.Proof, b.Proof),
		Deny:    everyRule(a.Deny, b.Deny),
		Allow:   everyRuleList(a.Allow, b.Allow),
		User: User{
			Presence: largest(a.User.Presence, b.User.Presence),
			Issuers:  intersection(a.User.Issuers, b.User.Issuers),
			Scopes:   union(a.User.Scopes, b.User.Scopes),
		},
	}
}

// settle resolves what only the merged terms show. It tightens, and settling twice changes nothing.
func (t terms) settle() terms {
	t.auth, t.trial = t.auth.settle(), t.trial.settle()
	if t.retry.MaxBackoff.Stated() {
		t.retry.MaxBackoff = largest(t.retry.MaxBackoff, t.retry.InitialBackoff)
	}
	return t
}

func (a Auth) settle() Auth {
	if a.Access.Value == AccessAnonymous && a.Carrier.Stated() {
		a.Access = Value[Access]{AccessAuthenticated, a.Carrier.Source}
	}
	if a.Access.Value == AccessAnonymous && a.Proof.Stated() {
		a.Access = Value[Access]{AccessAuthenticated, a.Proof.Source}
	}
	return a
}

func smallest[T cmp.Ordered](a, b Value[T]) Value[T] {
	if !a.Stated() || b.Stated() && b.Value < a.Value {
		return b
	}
	return a
}

func largest[T cmp.Ordered](a, b Value[T]) Value[T] {
	if !a.Stated() || b.Stated() && b.Value > a.Value {
		return b
	}
	return a
}

// bothLists holds every list of a and b once. Lists are alike when they hold the same patterns in any order.
func bothLists(a, b []Value[[]string]) []Value[[]string] {
	lists := slices.Clone(a)
	for _, list := range b {
		if !slices.ContainsFunc(lists, func(known Value[[]string]) bool { return sameSet(known.Value, list.Value) }) {
			lists = append(lists, list)
		}
	}
	return lists
}

func sameSet(a, b []string) bool {
	return slices.Equal(sortedSet(a), sortedSet(b))
}

func sortedSet[T cmp.Ordered](values []T) []T {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// union expects and yields sorted sets.
func union(a, b Value[[]string]) Value[[]string] {
	switch {
	case !a.Stated():
		return b
	case !b.Stated():
		return a
	}
	all := sortedSet(slices.Concat(a.Value, b.Value))
	return made(all, a, b)
}

// intersection expects and yields sorted sets.
func intersection[T comparable](a, b Value[[]T]) Value[[]T] {
	switch {
	case !a.Stated():
		return b
	case !b.Stated():
		return a
	}
	var common []T
	for _, value := range a.Value {
		if slices.Contains(b.Value, value) {
			common = append(common, value)
		}
	}
	return made(common, a, b)
}

// made is a set that came of a and b, with the source of the one that alone would have given it.
func made[T comparable](set []T, a, b Value[[]T]) Value[[]T] {
	switch {
	case slices.Equal(set, a.Value):
		return a
	case slices.Equal(set, b.Value):
		return b
	default:
		return Value[[]T]{set, a.Source.and(b.Source)}
	}
}
