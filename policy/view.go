package policy

import (
	"errors"
	"maps"
	"strings"
	"sync/atomic"

	"github.com/parley-rpc/parley/internal/joined"
)

// ErrClosed is what a closed [View] answers.
var ErrClosed = errors.New("policy: the View is closed")

// View holds what one interceptor has made of each method's policy. Make one with [NewView]. It is safe for concurrent
// use.
type View[T any] struct {
	table   *Table
	compile func(Method) (T, error)

	// The generation in use, and while a replacement is under way the one to come. The Table's own pointer decides
	// between the two, so that all Views change at once.
	current atomic.Pointer[compiled[T]]
	next    atomic.Pointer[compiled[T]]
	closed  atomic.Bool

	listening map[*func()]struct{} // guarded by the Table
}

// compiled is what a View has made of one generation.
type compiled[T any] struct {
	generation *generation
	methods    atomic.Pointer[map[string]result[T]]
	// Counts the kept methods that no .proto describes. Guarded by the Table.
	undescribed int
}

type result[T any] struct {
	value T
	err   error
	of    *merged // what it was compiled of
}

// NewView returns a View of t that compile fills. Compile gets the policy of one method and makes of it what the
// interceptor needs for each call; its error refuses the method. It must be cheap and quick, and must not use t or any
// View of t. It may be called again for the same method: after a [Table.Replace] that changes its policy or moves a
// statement about it to another place, and for each call of a method that no linked .proto describes once the View
// keeps 1024 of them.
func NewView[T any](t *Table, compile func(Method) (T, error)) *View[T] {
	v := &View[T]{table: t, compile: compile}
	t.mu.Lock()
	defer t.mu.Unlock()
	v.current.Store(newCompiled[T](t.current.Load()))
	t.views[v] = struct{}{}
	return v
}

// Get returns what was made of the policy of a method. The first use of a method compiles it; from then on Get is a
// look-up that neither locks nor allocates. Its error is what compile or [Table.Method] returned, or [ErrClosed].
func (v *View[T]) Get(method string) (T, error) {
	for {
		c := v.visible()
		if c == nil {
			if v.closed.Load() {
				var none T
				return none, ErrClosed
			}
			continue
		}
		if r, ok := (*c.methods.Load())[method]; ok {
			return r.value, r.err
		}
		return v.first(method)
	}
}

// visible returns what was made of the Table's generation, or nil when that has just changed.
func (v *View[T]) visible() *compiled[T] {
	g := v.table.current.Load()
	if c := v.current.Load(); c.generation == g {
		return c
	}
	if c := v.next.Load(); c != nil && c.generation == g {
		return c
	}
	return nil
}

// Resolve compiles methods that will be used, so that their mistakes show at start. Its error joins all of them.
func (v *View[T]) Resolve(methods ...string) error {
	var errs []error
	for _, method := range methods {
		_, err := v.Get(method)
		errs = append(errs, joined.Errors(err)...)
	}
	return join(errs)
}

// Listen makes changed be called after each [Table.Replace], when the new policies are visible. Replace waits for it.
// It may be called by several goroutines at once, and must not use Listen or Replace. The returned function ends that.
func (v *View[T]) Listen(changed func()) (stop func()) {
	v.table.mu.Lock()
	defer v.table.mu.Unlock()
	if v.listening == nil {
		v.listening = map[*func()]struct{}{}
	}
	key := &changed
	v.listening[key] = struct{}{}
	return func() {
		v.table.mu.Lock()
		defer v.table.mu.Unlock()
		delete(v.listening, key)
	}
}

func (v *View[T]) listeners() []func() {
	all := make([]func(), 0, len(v.listening))
	for f := range v.listening {
		all = append(all, *f)
	}
	return all
}

// Close makes the View leave its Table. It answers [ErrClosed] from then on. Closing twice is harmless.
func (v *View[T]) Close() {
	v.table.mu.Lock()
	defer v.table.mu.Unlock()
	v.closed.Store(true)
	delete(v.table.views, v)
	v.next.Store(nil)
	v.current.Store(&compiled[T]{})
}

// first compiles a method and keeps the result, unless it is one too many of those that no .proto describes.
func (v *View[T]) first(method string) (T, error) {
	v.table.mu.Lock()
	c := v.current.Load()
	if v.closed.Load() {
		v.table.mu.Unlock()
		var none T
		return none, ErrClosed
	}
	known := *c.methods.Load()
	if r, ok := known[method]; ok {
		v.table.mu.Unlock()
		return r.value, r.err
	}
	found := c.generation.merged(v.table.host, method)
	if m := &found.method; !m.Described && (c.undescribed >= maxUndescribedMethods || len(method) > maxUndescribedName) {
		v.table.mu.Unlock()
		r := v.make(found)
		return r.value, r.err
	}
	defer v.table.mu.Unlock()
	if !found.method.Described {
		found.method.Name = strings.Clone(method)
		c.undescribed++
	}
	r := v.make(found)
	grown := make(map[string]result[T], len(known)+1)
	maps.Copy(grown, known)
	grown[found.method.Name] = r
	c.methods.Store(&grown)
	return r.value, r.err
}

func (v *View[T]) make(of *merged) result[T] {
	if of.err != nil {
		return result[T]{err: of.err, of: of}
	}
	value, err := v.compile(of.method)
	return result[T]{value, err, of}
}

// prepare compiles for next what is compiled now. What stays the same is not compiled again. The Table is locked.
func (v *View[T]) prepare(next *generation) error {
	now := v.current.Load()
	c := newCompiled[T](next)
	c.undescribed = now.undescribed
	methods := make(map[string]result[T], len(*now.methods.Load()))
	var errs []error
	for name, before := range *now.methods.Load() {
		found := next.merged(v.table.host, name)
		if before.err == nil && before.of.keeps(found) {
			methods[name] = result[T]{before.value, nil, found}
			continue
		}
		r := v.make(found)
		if r.err != nil && before.err == nil {
			errs = append(errs, joined.Errors(r.err)...)
		}
		methods[name] = r
	}
	c.methods.Store(&methods)
	v.next.Store(c)
	return join(errs)
}

func (v *View[T]) adopt() { v.current.Store(v.next.Load()) }

func (v *View[T]) abandon() { v.next.Store(nil) }

func newCompiled[T any](g *generation) *compiled[T] {
	c := &compiled[T]{generation: g}
	c.methods.Store(&map[string]result[T]{})
	return c
}
