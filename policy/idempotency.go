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
	var level Idempotency
	switch stated {
	case policyv1.Idempotency_IDEMPOTENCY_UNSPECIFIED:
		return Value[Idempotency]{}
	case policyv1.Idempotency_IDEMPOTENCY_IDEMPOTENT:
		level = Idempotent
	case policyv1.Idempotency_IDEMPOTENCY_NO_SIDE_EFFECTS:
		level = NoSideEffects
	default:
		r.wrong("idempotency",
			"%d is no idempotency; say IDEMPOTENCY_IDEMPOTENT or IDEMPOTENCY_NO_SIDE_EFFECTS, or leave it out", int32(stated))
		return Value[Idempotency]{}
	}
	if r.source.Reach != "" {
		r.wrong("idempotency", "it cannot be said of everything at once; say it of each method or service")
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
