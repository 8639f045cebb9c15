package policy

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Kind is the kind of place where a value was stated.
type Kind int

// The kinds of places.
const (
	// The value was not stated.
	KindUnset Kind = iota
	// The value is the default of the package that uses it.
	KindDefault
	// An option of a .proto file states the value.
	KindProto
	// The program's code states the value.
	KindCode
	// A configuration file states the value.
	KindFile
)

// String is the kind as it stands in front of a place: "proto", "code", "file", "default" or "not stated".
func (k Kind) String() string {
	switch k {
	case KindUnset:
		return "not stated"
	case KindDefault:
		return "default"
	case KindProto:
		return "proto"
	case KindCode:
		return "code"
	case KindFile:
		return "file"
	default:
		return "unknown"
	}
}

// Source says where a value was stated.
type Source struct {
	// Kind is the kind of place.
	Kind Kind
	// Place is the place itself: "shop/payments/v1/payments.proto: PaymentsService/Charge" (with a line number instead
	// of the name where the descriptor knows it), "main.go:31" or "orders.yaml:12". A default has none. A value that
	// several places make up names them all.
	Place string
	// Reach is the key of a statement that is about more than one service, "/shop.*" or "/*", and empty for others.
	Reach string
}

// String is the kind and the place: "file orders.yaml:12", and what it is about where that is more than one service:
// "file mesh.yaml:3 for /shop.*".
func (s Source) String() string {
	text := s.Kind.String()
	if s.Place != "" {
		text += " " + s.Place
	}
	if s.Reach != "" {
		text += " for " + s.Reach
	}
	return text
}

// MarshalText returns the source as String does.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// and is the source of a value that s and other make up together.
func (s Source) and(other Source) Source {
	if s == other {
		return s
	}
	place := s.Place
	if s.Reach != "" {
		place += " for " + s.Reach
	}
	return Source{Kind: s.Kind, Place: place + ", " + other.String()}
}

// Value is a value that knows where it was stated. The zero Value was not stated.
type Value[T any] struct {
	// Value is the value itself, and the zero value of T when it was not stated.
	Value T
	// Source is where it was stated.
	Source Source
}

// Stated reports whether the value was stated anywhere.
func (v Value[T]) Stated() bool { return v.Source.Kind != KindUnset }

// protoSource names the line where d stands, or d itself: generated Go code carries no line numbers.
func protoSource(d protoreflect.Descriptor) Source {
	file := d.ParentFile()
	if at := file.SourceLocations().ByDescriptor(d); len(at.Path) > 0 {
		return Source{Kind: KindProto, Place: file.Path() + ":" + strconv.Itoa(at.StartLine+1)}
	}
	name := strings.TrimPrefix(string(d.FullName()), string(file.Package())+".")
	return Source{Kind: KindProto, Place: file.Path() + ": " + strings.Replace(name, ".", "/", 1)}
}

// Statement is one value of an effective policy, in words.
type Statement struct {
	// Name says what the value is about: "deadline".
	Name string
	// Value is the value: "2s".
	Value string
	// Source is where it was stated, in words: "proto shop/orders/v1/orders.proto: OrdersService/GetOrder". What a rule
	// demands, and what may surprise, stands behind it.
	Source string
}
