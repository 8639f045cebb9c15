// Package storetest is the conformance suite of stores of an issuer. A store for another database runs it in its own
// tests:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Harness{Open: open, Reopen: reopen})
//	}
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/issuer/store"
)

// Harness makes stores for the suite.
type Harness struct {
	// Open returns a new, empty store. The suite closes it. Required.
	Open func(t testing.TB) store.Store
	// Reopen returns a store with the same records, as after a restart. The suite has closed the given one. Nil if the
	// records do not outlive a store.
	Reopen func(t testing.TB, closed store.Store) store.Store
	// Beside returns another store with the same records, as another process has it. Nil if one process at a time has the
	// records.
	Beside func(t testing.TB, s store.Store) store.Store
}

// Run tests the duties of [store.Store], each as a subtest.
func Run(t *testing.T, h Harness) {
	for _, test := range []struct {
		name string
		run  func(*lab)
	}{
		{"records come back as they were written", (*lab).comesBack},
		{"a change states the version of its record", (*lab).versions},
		{"all changes or none", (*lab).atomic},
		{"one of many writers is first", (*lab).first},
		{"many writers lose nothing", (*lab).many},
		{"lists are ordered and have pages", (*lab).pages},
		{"a record expires", (*lab).expires},
		{"a snapshot has everything", (*lab).snapshot},
		{"wrong changes are refused", (*lab).wrong},
		{"a context that has ended", (*lab).ended},
		{"closed is closed", (*lab).closed},
		{"records outlive the store", (*lab).outlive},
		{"two processes", (*lab).beside},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := h.Open(t)
			t.Cleanup(func() { _ = s.Close() })
			test.run(&lab{t, h, s})
		})
	}
}

// lab is one test.
type lab struct {
	*testing.T
	h     Harness
	store store.Store
}

const kind, other store.Kind = "clients", "keys"

func (l *lab) apply(changes ...store.Change) {
	l.Helper()
	if err := l.store.Apply(l.Context(), changes...); err != nil {
		l.Fatalf("Apply: %v", err)
	}
}

func (l *lab) get(k store.Kind, name string) store.Record {
	l.Helper()
	r, err := l.store.Get(l.Context(), k, name)
	if err != nil {
		l.Fatalf("Get %s: %v", name, err)
	}
	return r
}

// want compares the error of an Apply or Get.
func (l *lab) want(err, want error) {
	l.Helper()
	if !errors.Is(err, want) {
		l.Errorf("got %v, want %v", err, want)
	}
}

func (l *lab) comesBack() {
	all := make([]byte, 256)
	for n := range all {
		all[n] = byte(n)
	}
	longest := strings.Repeat("n", store.MaxName)
	for name, value := range map[string][]byte{
		"spiffe://shop.example/orders": []byte(`{"a":1}`), "empty": nil, "bytes": all, "\x00\xff": {0}, longest: {1},
		"large": bytes.Repeat([]byte{7}, store.MaxValue),
	} {
		l.apply(store.Change{Kind: kind, Name: name, Value: value})
		if got := l.get(kind, name); !bytes.Equal(got.Value, value) || got.Name != name || got.Kind != kind ||
			got.Version == 0 || !got.Expires.IsZero() {
			l.Errorf("%q: %d bytes, version %d, expires %v", got.Name, len(got.Value), got.Version, got.Expires)
		}
	}
	_, err := l.store.Get(l.Context(), other, "empty")
	l.want(err, store.ErrNotFound)
	value := []byte("mine")
	l.apply(store.Change{Kind: other, Name: "mine", Value: value})
	value[0] = 'X'
	l.get(other, "mine").Value[1] = 'X'
	if got := l.get(other, "mine"); string(got.Value) != "mine" {
		l.Errorf("the store shares memory with its caller: %s", got.Value)
	}
}

func (l *lab) versions() {
	apply := func(c store.Change) error { c.Kind, c.Name = kind, "a"; return l.store.Apply(l.Context(), c) }
	l.want(apply(store.Change{Version: 7}), store.ErrConflict)
	l.want(apply(store.Change{Version: 7, Delete: true}), store.ErrConflict)
	l.want(apply(store.Change{Value: []byte("1")}), nil)
	l.want(apply(store.Change{Value: []byte("2")}), store.ErrConflict)
	first := l.get(kind, "a").Version
	l.want(apply(store.Change{Value: []byte("2"), Version: first}), nil)
	l.want(apply(store.Change{Value: []byte("3"), Version: first}), store.ErrConflict)
	l.want(apply(store.Change{Delete: true, Version: first}), store.ErrConflict)
	second := l.get(kind, "a")
	if string(second.Value) != "2" {
		l.Errorf("got %s", second.Value)
	}
	l.want(apply(store.Change{Delete: true, Version: second.Version}), nil)
	_, err := l.store.Get(l.Context(), kind, "a")
	l.want(err, store.ErrNotFound)
	l.want(apply(store.Change{Value: []byte("1")}), nil)
	if third := l.get(kind, "a").Version; third == first || third == second.Version {
		l.Errorf("version %d came back after %d and %d", third, first, second.Version)
	}
}

func (l *lab) atomic() {
	l.apply()
	l.apply(
		store.Change{Kind: kind, Name: "a", Value: []byte("1")}, store.Change{Kind: other, Name: "a", Value: []byte("2")},
	)
	a := l.get(kind, "a")
	l.want(l.store.Apply(l.Context(),
		store.Change{Kind: kind, Name: "b"}, store.Change{Kind: kind, Name: "a", Version: a.Version, Delete: true},
		store.Change{Kind: other, Name: "a"}), store.ErrConflict)
	if got := l.get(kind, "a"); got.Version != a.Version {
		l.Error("a part of a refused Apply took effect")
	}
	_, err := l.store.Get(l.Context(), kind, "b")
	l.want(err, store.ErrNotFound)
	var most []store.Change
	for n := range store.MaxChanges {
		most = append(most, store.Change{Kind: kind, Name: fmt.Sprint("most", n)})
	}
	l.apply(most...)
}

// first lets many goroutines create the same record.
func (l *lab) first() {
	const writers = 16
	for round := range 10 {
		var wg sync.WaitGroup
		errs := make([]error, writers)
		for n := range writers {
			wg.Go(func() {
				errs[n] = l.store.Apply(l.Context(), store.Change{
					Kind: kind, Name: fmt.Sprint("round", round), Value: []byte{byte(n)}, //nolint:gosec // there are few writers
				})
			})
		}
		wg.Wait()
		winner := slices.Index(errs, nil)
		for n, err := range errs {
			if n != winner && !errors.Is(err, store.ErrConflict) {
				l.Errorf("writer %d: %v, and writer %d was first", n, err, winner)
			}
		}
		if got := l.get(kind, fmt.Sprint("round", round)); winner < 0 || int(got.Value[0]) != winner {
			l.Errorf("writer %d was first, and the value is of %d", winner, got.Value)
		}
	}
}

// many lets goroutines count together: each reads, adds one, and begins anew on a conflict.
func (l *lab) many() {
	const writers, each = 8, 25
	l.apply(store.Change{Kind: kind, Name: "count", Value: []byte("0")})
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for i := range each {
				if err := l.count(store.Change{Kind: other, Name: fmt.Sprint(n, "-", i)}); err != nil {
					l.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := string(l.get(kind, "count").Value); got != fmt.Sprint(writers*each) {
		l.Errorf("counted %s, want %d", got, writers*each)
	}
	list, err := l.store.List(l.Context(), other, "", 2*writers*each)
	if err != nil || len(list) != writers*each {
		l.Errorf("%d records, %v", len(list), err)
	}
}

func (l *lab) count(beside store.Change) error {
	for {
		r, err := l.store.Get(l.Context(), kind, "count")
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscan(string(r.Value), &n); err != nil {
			return err
		}
		err = l.store.Apply(l.Context(), beside,
			store.Change{Kind: kind, Name: "count", Value: fmt.Append(nil, n+1), Version: r.Version})
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func (l *lab) pages() {
	names := []string{"b", "a", "a\x00", "c", "\xff", "ab", "B"}
	for _, name := range names {
		l.apply(store.Change{Kind: kind, Name: name}, store.Change{Kind: other, Name: name + "x"})
	}
	slices.Sort(names)
	for _, limit := range []int{1, 3, len(names), 100} {
		var got []string
		for after := ""; ; {
			page, err := l.store.List(l.Context(), kind, after, limit)
			if err != nil {
				l.Fatal(err)
			}
			for _, r := range page {
				got = append(got, r.Name)
			}
			if len(page) < limit {
				break
			}
			after = page[len(page)-1].Name
		}
		if !slices.Equal(got, names) {
			l.Errorf("pages of %d: %q, want %q", limit, got, names)
		}
	}
	if page, err := l.store.List(l.Context(), kind, "aa", 1); err != nil || len(page) != 1 || page[0].Name != "ab" {
		l.Errorf("after a name that does not exist: %v, %v", page, err)
	}
	if page, err := l.store.List(l.Context(), "none", "", 1); err != nil || len(page) != 0 {
		l.Errorf("a kind without records: %v, %v", page, err)
	}
}

// expires waits, in the time of the store, for a record to expire. Its database may know the time by seconds.
func (l *lab) expires() {
	soon, late := time.Now().Add(1100*time.Millisecond), time.Now().Add(time.Hour)
	l.apply(store.Change{Kind: kind, Name: "soon", Expires: soon}, store.Change{Kind: kind, Name: "late", Expires: late},
		store.Change{Kind: kind, Name: "kept", Expires: soon})
	kept := l.get(kind, "kept")
	l.apply(store.Change{Kind: kind, Name: "kept", Version: kept.Version})
	got := l.get(kind, "late")
	if got.Expires.Sub(late).Abs() > time.Second {
		l.Errorf("expires %v, want %v", got.Expires, late)
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		if _, err := l.store.Get(l.Context(), kind, "soon"); errors.Is(err, store.ErrNotFound) {
			break
		} else if err != nil {
			l.Fatal(err)
		}
		if time.Since(soon) > time.Minute {
			l.Fatal("the record does not expire")
		}
	}
	if left := time.Until(soon); left > time.Second {
		l.Errorf("it expired %v early", left)
	}
	list, err := l.store.List(l.Context(), kind, "", 10)
	if err != nil || len(list) != 2 {
		l.Errorf("%d records are left, %v", len(list), err)
	}
	for r, err := range l.store.Snapshot(l.Context()) {
		if err != nil || r.Name == "soon" {
			l.Errorf("in the snapshot: %s, %v", r.Name, err)
		}
	}
	l.apply(store.Change{Kind: kind, Name: "soon", Value: []byte("again")})
	if got := l.get(kind, "soon"); !got.Expires.IsZero() {
		l.Errorf("the new record expires %v", got.Expires)
	}
	l.get(kind, "kept")
}

func (l *lab) snapshot() {
	var want []string
	for n := range 300 {
		k := store.Kind([]string{"a", "ab", "b"}[n%3])
		l.apply(store.Change{Kind: k, Name: fmt.Sprint(n), Value: []byte{byte(n)}})
		want = append(want, fmt.Sprintf("%s/%d=%d", k, n, byte(n)))
	}
	var got []string
	for r, err := range l.store.Snapshot(l.Context()) {
		if err != nil {
			l.Fatal(err)
		}
		if len(got) == 1 { // it has what was there when it began
			l.apply(store.Change{Kind: "z", Name: "late"})
		}
		got = append(got, fmt.Sprintf("%s/%s=%d", r.Kind, r.Name, r.Value[0]))
	}
	slices.SortFunc(want, func(a, b string) int {
		ka, na, _ := strings.Cut(a, "/")
		kb, nb, _ := strings.Cut(b, "/")
		na, _, _ = strings.Cut(na, "=")
		nb, _, _ = strings.Cut(nb, "=")
		if ka != kb {
			return strings.Compare(ka, kb)
		}
		return strings.Compare(na, nb)
	})
	if !slices.Equal(got, want) {
		l.Errorf("got %d records %v ..., want %d %v ...", len(got), got[:min(5, len(got))], len(want), want[:5])
	}
	for _, err := range l.store.Snapshot(l.Context()) {
		if err != nil {
			l.Error(err)
		}
		break
	}
}

func (l *lab) wrong() {
	for name, changes := range map[string][]store.Change{
		"no kind":                     {{Name: "a"}},
		"a kind that is none":         {{Kind: "A", Name: "a"}},
		"no name":                     {{Kind: kind}},
		"a name that is too long":     {{Kind: kind, Name: strings.Repeat("a", store.MaxName+1)}},
		"a value that is too large":   {{Kind: kind, Name: "a", Value: make([]byte, store.MaxValue+1)}},
		"a deletion without version":  {{Kind: kind, Name: "a", Delete: true}},
		"two changes of a record":     {{Kind: kind, Name: "a"}, {Kind: kind, Name: "a"}},
		"a good one beside a bad one": {{Kind: kind, Name: "good"}, {Kind: kind}},
		"too many":                    make([]store.Change, store.MaxChanges+1),
	} {
		if err := l.store.Apply(l.Context(), changes...); err == nil || errors.Is(err, store.ErrConflict) {
			l.Errorf("%s: %v", name, err)
		}
	}
	if list, err := l.store.List(l.Context(), kind, "", 1); err != nil || len(list) > 0 {
		l.Errorf("%v, %v", list, err)
	}
}

func (l *lab) ended() {
	ctx, cancel := context.WithCancel(l.Context())
	cancel()
	_, err := l.store.Get(ctx, kind, "a")
	l.want(err, context.Canceled)
	_, err = l.store.List(ctx, kind, "", 1)
	l.want(err, context.Canceled)
	l.want(l.store.Apply(ctx, store.Change{Kind: kind, Name: "a"}), context.Canceled)
	for _, err := range l.store.Snapshot(ctx) {
		l.want(err, context.Canceled)
	}
}

func (l *lab) closed() {
	for range 2 {
		if err := l.store.Close(); err != nil {
			l.Error(err)
		}
	}
	_, err := l.store.Get(l.Context(), kind, "a")
	l.want(err, store.ErrClosed)
	_, err = l.store.List(l.Context(), kind, "", 1)
	l.want(err, store.ErrClosed)
	l.want(l.store.Apply(l.Context(), store.Change{Kind: kind, Name: "a"}), store.ErrClosed)
	for _, err := range l.store.Snapshot(l.Context()) {
		l.want(err, store.ErrClosed)
	}
}

func (l *lab) outlive() {
	if l.h.Reopen == nil {
		return
	}
	soon := time.Now().Add(time.Hour)
	l.apply(store.Change{Kind: kind, Name: "a", Value: []byte("1"), Expires: soon})
	before := l.get(kind, "a")
	if err := l.store.Close(); err != nil {
		l.Fatal(err)
	}
	l.store = l.h.Reopen(l.T, l.store)
	defer func() { _ = l.store.Close() }()
	if after := l.get(kind, "a"); after.Version != before.Version || string(after.Value) != "1" ||
		!after.Expires.Equal(before.Expires) {
		l.Errorf("got %+v, want %+v", after, before)
	}
	l.apply(store.Change{Kind: kind, Name: "a", Version: before.Version, Delete: true})
	l.apply(store.Change{Kind: kind, Name: "a"})
	if got := l.get(kind, "a").Version; got == before.Version {
		l.Errorf("version %d came back after a restart", got)
	}
}

func (l *lab) beside() {
	if l.h.Beside == nil {
		return
	}
	second := l.h.Beside(l.T, l.store)
	defer func() { _ = second.Close() }()
	l.apply(store.Change{Kind: kind, Name: "a", Value: []byte("1")})
	r, err := second.Get(l.Context(), kind, "a")
	if err != nil || string(r.Value) != "1" {
		l.Fatalf("%s, %v", r.Value, err)
	}
	l.want(second.Apply(l.Context(), store.Change{Kind: kind, Name: "a"}), store.ErrConflict)
	l.want(second.Apply(l.Context(), store.Change{Kind: kind, Name: "a", Version: r.Version, Value: []byte("2")}), nil)
	l.want(l.store.Apply(l.Context(), store.Change{Kind: kind, Name: "a", Version: r.Version}), store.ErrConflict)
	if got := l.get(kind, "a"); string(got.Value) != "2" {
		l.Errorf("got %s", got.Value)
	}
}
