package policy

import (
	"cmp"
	"slices"
)

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
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	lists := slices.Clone(a)
	for _, list := range b {
		if !slices.ContainsFunc(lists, func(known Value[[]string]) bool { return sameSet(known.Value, list.Value) }) {
			lists = append(lists, list)
		}
	}
	return lists
}

func sameSet(a, b []string) bool {
	return slices.Equal(a, b) || slices.Equal(sortedSet(a), sortedSet(b))
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
