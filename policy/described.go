package policy

import (
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// described reads the policies that the authors of the linked .proto files state.
type described struct {
	files *protoregistry.Files
	// Looks once for options that have the numbers of ours; nil: there are none.
	collision func() *Mistake
	options   *sync.Map // of *statement by descriptor: what was read of the options of services and methods
}

func newDescribed(files *protoregistry.Files) described {
	return described{
		files:     files,
		collision: sync.OnceValue(func() *Mistake { return collision(files, protoregistry.GlobalTypes) }),
		options:   new(sync.Map),
	}
}

// service returns the service called name, or nil.
func (d described) service(name string) protoreflect.ServiceDescriptor {
	found, err := d.files.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	service, _ := found.(protoreflect.ServiceDescriptor)
	return service
}

// method returns a method, or nil. It goes through the service, because "/a/B.C" must not find method C of service a.B.
func (d described) method(service, method string) protoreflect.MethodDescriptor {
	s := d.service(service)
	if s == nil {
		return nil
	}
	return s.Methods().ByName(protoreflect.Name(method))
}

// names are the full names of the services, sorted.
func (d described) names() []string {
	var names []string
	d.each(func(s protoreflect.ServiceDescriptor) { names = append(names, string(s.FullName())) })
	slices.Sort(names)
	return names
}

func (d described) each(visit func(protoreflect.ServiceDescriptor)) {
	d.files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			visit(file.Services().Get(i))
		}
		return true
	})
}

func methodsOf(s protoreflect.ServiceDescriptor) []string {
	names := make([]string, 0, s.Methods().Len())
	for i := range s.Methods().Len() {
		names = append(names, string(s.Methods().Get(i).Name()))
	}
	return names
}

// about returns what the .proto says about a method: the option of its service narrowed by its own.
func (d described) about(m protoreflect.MethodDescriptor, facts Method) (terms, []error) {
	service := m.Parent()
	whole := d.option(service, servicePolicy, joinName(string(service.FullName()), wildcard))
	own := d.option(m, methodPolicy, facts.Name)
	if whole == nil && own == nil {
		return terms{}, nil
	}
	both, contradicting := narrow(whole, own, facts)
	return both, slices.Concat(whole.wrong(), own.wrong(), contradicting)
}

// option reads the option of a service or a method, once. It returns nil where there is none.
func (d described) option(
	of protoreflect.Descriptor, policyOf func(protoreflect.Descriptor) *policyv1.Policy, subject string,
) *statement {
	if known, ok := d.options.Load(of); ok {
		return known.(*statement)
	}
	var stated *statement
	if p := policyOf(of); p != nil {
		stated = &statement{source: protoSource(of)}
		stated.terms, stated.mistakes = read(p, stated.source, subject)
	}
	d.options.Store(of, stated)
	return stated
}

// statesAnything reports whether the .proto says anything about a method.
func (d described) statesAnything(m protoreflect.MethodDescriptor) bool {
	return servicePolicy(m.Parent()) != nil || methodPolicy(m) != nil || idempotencyOf(m).Stated()
}

func methodName(m protoreflect.MethodDescriptor) string {
	return joinName(string(m.Parent().FullName()), string(m.Name()))
}

func methodPolicy(m protoreflect.Descriptor) *policyv1.Policy {
	options, _ := m.Options().(*descriptorpb.MethodOptions)
	if !proto.HasExtension(options, policyv1.E_Method) {
		return nil
	}
	p, _ := proto.GetExtension(options, policyv1.E_Method).(*policyv1.Policy)
	return p
}

func servicePolicy(s protoreflect.Descriptor) *policyv1.Policy {
	options, _ := s.Options().(*descriptorpb.ServiceOptions)
	if !proto.HasExtension(options, policyv1.E_Service) {
		return nil
	}
	p, _ := proto.GetExtension(options, policyv1.E_Service).(*policyv1.Policy)
	return p
}

// resolved returns descriptors of the files of a set, in which options are read with the linked schema of policies,
// however the set came about.
func resolved(set *descriptorpb.FileDescriptorSet) (*protoregistry.Files, error) {
	data, err := proto.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("policy: the descriptor set: %w", err)
	}
	read := new(descriptorpb.FileDescriptorSet)
	if err := proto.Unmarshal(data, read); err != nil {
		return nil, fmt.Errorf("policy: the descriptor set: %w", err)
	}
	// Policies need no file that is imported, and sets are often made without imports.
	files, err := protodesc.FileOptions{AllowUnresolvable: true}.NewFiles(read)
	if err != nil {
		return nil, fmt.Errorf("policy: the descriptor set: %w", err)
	}
	return files, nil
}
