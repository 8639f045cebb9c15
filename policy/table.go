package policy

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/parley-rpc/parley/internal/joined"
)

// Table holds the policy of every method: what the linked .proto files state, narrowed by layers. Make one with [New]
// or [FromProto]. It is safe for concurrent use.
type Table struct {
	*shared
	host string // that its clients call; "" for servers
}

// shared is what all views of a Table toward hosts have in common.
type shared struct {
	current atomic.Pointer[generation]

	// Guards the set of views, the first use of a method in any of them, and the change of generation.
	mu       sync.Mutex
	views    map[view]struct{}
	replaced []Layer // what the Table was made with or last given
}

// generation is one set of layers. It does not change. Two generations are the same only if their pointers are equal.
type generation struct {
	described described
	layers    []Layer
	memory    memory
}

// view is what a Table knows of a View[T].
type view interface {
	prepare(next *generation) error
	adopt()
	abandon()
	listeners() []func()
}

// FromProto returns the policies that the linked .proto files state. Descriptors are read when a method is first asked
// for, from protoregistry.GlobalFiles; what is wrong in them is then reported by [Table.Method] and [View.Get].
func FromProto() *Table {
	return newTable(protoregistry.GlobalFiles, nil)
}

// New returns the policies that the linked .proto files state, narrowed by layers. Its error joins a [Mistake] for each
// key that no linked .proto describes, each wrong value, and each contradiction within a layer.
func New(layers ...Layer) (*Table, error) {
	t := newTable(protoregistry.GlobalFiles, layers)
	if err := t.current.Load().check(); err != nil {
		return nil, err
	}
	return t, nil
}

// FromDescriptors returns the policies that the .proto files of a descriptor set state, narrowed by layers. It is for
// tools that link none of these files: "buf build -o" and "protoc --descriptor_set_out" make such sets. Its error says
// what is wrong with the set, or is that of [New].
func FromDescriptors(set *descriptorpb.FileDescriptorSet, layers ...Layer) (*Table, error) {
	files, err := resolved(set)
	if err != nil {
		return nil, err
	}
	t := newTable(files, layers)
	if err := t.current.Load().check(); err != nil {
		return nil, err
	}
	return t, nil
}

func newTable(files *protoregistry.Files, layers []Layer) *Table {
	t := &Table{shared: &shared{views: map[view]struct{}{}, replaced: slices.Clone(layers)}}
	t.current.Store(&generation{described: newDescribed(files), layers: t.replaced})
	return t
}

// Method returns the effective policy of the method called name ("/package.Service/Method"). A method that no linked
// .proto describes has the zero policy, with its name; that is no error. The error joins the [Mistake]s in what is
// stated about the method; its policy must then not be used.
func (t *Table) Method(name string) (Method, error) {
	return t.current.Load().method(t.host, name)
}

// Methods returns the names of the described methods about which anything is stated, sorted.
func (t *Table) Methods() []string {
	return t.current.Load().methods()
}

// Replace puts layers in the place of those that the Table was made with or last given. Every [View] first compiles
// each method that it has compiled before; then the new policies become visible in the Table and in all Views at once.
// When anything is wrong, nothing changes, and the error joins every mistake, as that of [New] does, and what the Views
// refused. A method that a View refused before cannot stop a replacement. Those who listen to a View are called before
// Replace returns.
func (t *Table) Replace(layers ...Layer) error {
	t.mu.Lock()
	layers = slices.Clone(layers)
	err := t.show(layers)
	var changed []func()
	if err == nil {
		t.replaced = layers
		for v := range t.views {
			changed = append(changed, v.listeners()...)
		}
	}
	t.mu.Unlock()
	for _, f := range changed {
		f()
	}
	return err
}

// Narrow lets layers narrow the policies for a while, beside those that the Table was made with or last given: until
// the next Narrow, which takes their place, or the next Replace. Nothing becomes looser by it. It is for what a source
// has stated and may take back soon, so those who listen to a View are not called, and what runs goes on. When
// anything is wrong, nothing changes, and the error is one of Replace.
func (t *Table) Narrow(layers ...Layer) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.show(slices.Concat(t.replaced, layers))
}

// show makes layers visible. The Table is locked.
func (t *Table) show(layers []Layer) error {
	next := &generation{described: t.current.Load().described, layers: layers}
	if err := next.check(); err != nil {
		return err
	}
	var errs []error
	for v := range t.views {
		errs = append(errs, v.prepare(next))
	}
	if err := join(errs); err != nil {
		for v := range t.views {
			v.abandon()
		}
		return err
	}
	t.current.Store(next)
	for v := range t.views {
		v.adopt()
	}
	return nil
}

// method returns the policy of a method for the clients of a host, or for servers.
func (g *generation) method(host, name string) (Method, error) {
	found := g.merged(host, name)
	return found.method, found.err
}

func (g *generation) merged(host, name string) *merged {
	return g.memory.find(calledMethod{host, name}, func() merged {
		method, err := g.merge(host, name)
		return merged{method, err}
	})
}

func (g *generation) merge(host, name string) (Method, error) {
	service, method, ok := splitName(name)
	if !ok {
		return Method{Name: name}, nil
	}
	descriptor := g.described.method(service, method)
	if descriptor == nil {
		return Method{Name: name}, nil
	}
	m := Method{
		Name:          methodName(descriptor),
		Described:     true,
		ClientStreams: descriptor.IsStreamingClient(),
		ServerStreams: descriptor.IsStreamingServer(),
	}
	if collision := g.described.collision(); collision != nil {
		return m, collision
	}
	var errs []error
	m.Idempotency, errs = g.idempotency(service, method, idempotencyOf(descriptor))
	effective, wrong := g.described.about(descriptor, m)
	errs = append(errs, wrong...)
	for _, layer := range g.layers {
		stated, contradicting := layer.about(service, method, m)
		errs = append(errs, contradicting...)
		effective = merge(effective, stated)
	}
	effective = g.toward(host, m.Name, effective).settle()
	errs = append(errs, unsatisfiable(effective, m.Name)...)
	m.Auth, m.Trial = effective.auth, effective.trial
	m.Deadline, m.Retry, m.Hedge = effective.deadline, effective.retry, effective.hedge
	return m, join(errs)
}

// idempotency is what the layers say about a method whose .proto says nothing: the least that one of them promises.
// What a layer says against the .proto is a mistake; what it says of the whole service does not reach a method that
// has a level.
func (g *generation) idempotency(service, method string, inProto Value[Idempotency]) (Value[Idempotency], []error) {
	result := inProto
	var errs []error
	for _, layer := range g.layers {
		own := layer.idempotency(joinName(service, method))
		if inProto.Stated() {
			if own.Stated() && own.Value != inProto.Value {
				errs = append(errs, &Mistake{
					Source: own.Source, Subject: joinName(service, method), Field: "idempotency",
					Problem: "the .proto (" + inProto.Source.String() + ") says that the method is " + inProto.Value.String() +
						", which nothing can contradict; take it out",
				})
			}
			continue
		}
		whole := layer.idempotency(joinName(service, wildcard)) // wider ones say nothing about it
		result = smallest(result, smallest(whole, own))
	}
	return result, errs
}

func (g *generation) methods() []string {
	var names []string
	g.described.each(func(s protoreflect.ServiceDescriptor) {
		for i := range s.Methods().Len() {
			m := s.Methods().Get(i)
			if g.described.statesAnything(m) ||
				slices.ContainsFunc(g.layers, func(l Layer) bool { return l.states(string(s.FullName()), string(m.Name())) }) {
				names = append(names, methodName(m))
			}
		}
	})
	slices.Sort(names)
	return names
}

// check reports every mistake in the layers, and in the .proto files as far as the layers narrow them. What is wrong in
// a .proto alone is not reported for methods that only wide keys reach: the program may never use them.
func (g *generation) check() error {
	var errs []error
	alone := &generation{described: g.described}
	checked, widely, reported := map[string]bool{}, map[string]bool{}, map[Mistake]bool{}
	for _, layer := range g.layers {
		for _, key := range layer.keys() {
			stated := layer.statements[key]
			errs = append(errs, stated.mistakes...)
			methods, problem := g.described.reached(key)
			if problem != "" {
				errs = append(errs, &Mistake{Source: stated.source, Subject: key, Problem: problem})
			}
			for _, name := range methods {
				wide := isWide(key)
				if checked[name] || wide && widely[name] {
					continue
				}
				checked[name], widely[name] = !wide, true
				_, err := g.method("", name)
				if err != nil && wide {
					err = once(without(err, alone, name), reported)
				}
				errs = append(errs, joined.Errors(err)...)
			}
		}
	}
	return join(errs)
}

// once is err without the mistakes of wide statements that were reported for another method.
func once(err error, reported map[Mistake]bool) error {
	var left []error
	for _, e := range joined.Errors(err) {
		if m, ok := errors.AsType[*Mistake](e); ok && m.Source.Reach != "" {
			known := Mistake{Source: m.Source, Field: m.Field, Problem: m.Problem}
			if reported[known] {
				continue
			}
			reported[known] = true
		}
		left = append(left, e)
	}
	return errors.Join(left...)
}

// without is err without what is wrong with a method in another generation, too.
func without(err error, other *generation, method string) error {
	_, known := other.method("", method)
	var left []error
	for _, e := range joined.Errors(err) {
		if !slices.ContainsFunc(joined.Errors(known), func(k error) bool { return k.Error() == e.Error() }) {
			left = append(left, e)
		}
	}
	return errors.Join(left...)
}
