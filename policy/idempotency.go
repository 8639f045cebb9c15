package policy

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// Idempotency is what is known about repeating a call of a method. A larger value promises more.
type Idempotency int

// The levels of idempotency.
const (
	// Nothing says that the method may be repeated.
	IdempotencyUnknown Idempotency = iota
	// Repeating a call changes nothing further.
	Idempotent
	// A call changes nothing at all.
	NoSideEffects
)

// String is the level in words.
func (i Idempotency) String() string {
	switch i {
	case IdempotencyUnknown:
		return "not idempotent"
	case Idempotent:
		return "idempotent"
	case NoSideEffects:
		return "no side effects"
	default:
		return "invalid idempotency"
	}
}

func (r *reader) idempotency(stated policyv1.Idempotency) Value[Idempotency] {
	level := IdempotencyUnknown
	switch stated {
	case policyv1.Idempotency_IDEMPOTENCY_UNSPECIFIED:
		return Value[Idempotency]{}
	case policyv1.Idempotency_IDEMPOTENCY_IDEMPOTENT:
		level = Idempotent
	case policyv1.Idempotency_IDEMPOTENCY_NO_SIDE_EFFECTS:
		level = NoSideEffects
	default:
		r.wrong("idempotency", "%d is no idempotency; say IDEMPOTENCY_IDEMPOTENT or IDEMPOTENCY_NO_SIDE_EFFECTS, or leave it out", int32(stated))
		return Value[Idempotency]{}
	}
	if r.source.Kind == KindProto {
		r.wrong("idempotency", "a .proto states it with the standard option idempotency_level; state that, and take this out")
		return Value[Idempotency]{}
	}
	return Value[Idempotency]{level, r.source}
}

// idempotencyOf is what the .proto says, if anything; it may say that the idempotency is unknown.
func idempotencyOf(m protoreflect.MethodDescriptor) Value[Idempotency] {
	options, _ := m.Options().(*descriptorpb.MethodOptions)
	if options == nil || options.IdempotencyLevel == nil {
		return Value[Idempotency]{}
	}
	level := IdempotencyUnknown
	switch options.GetIdempotencyLevel() {
	case descriptorpb.MethodOptions_IDEMPOTENT:
		level = Idempotent
	case descriptorpb.MethodOptions_NO_SIDE_EFFECTS:
		level = NoSideEffects
	case descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN:
	}
	return Value[Idempotency]{level, protoSource(m)}
}

// idempotency is what the layers say about a method whose .proto says nothing: the least that one of them promises. What a
// layer says against the .proto is a mistake; what it says of the whole service does not reach a method that has a level.
func (g *generation) idempotency(service, method string, inProto Value[Idempotency]) (Value[Idempotency], []error) {
	result := inProto
	var errs []error
	for _, layer := range g.layers {
		own := layer.statements[joinName(service, method)].terms.idempotency
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
		whole := layer.statements[joinName(service, wildcard)].terms.idempotency
		result = smallest(result, smallest(whole, own))
	}
	return result, errs
}
