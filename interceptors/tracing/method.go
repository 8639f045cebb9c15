package tracing

import (
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// clientKey is the key of a clientMethod.
type clientKey struct{ target, method string }

// clientMethod has the constant data of the calls of one method to one target.
type clientMethod struct {
	silent   bool // neither traced nor measured
	unknown  bool
	call     birth
	attempt  birth
	first    []trace.SpanStartOption // for an attempt without predecessors
	started  []metric.AddOption
	calls    outcomes
	attempts outcomes
	looked   once // for otelgrpc
}

// clientMethod returns the data of a method with a name of the form "/pkg.Service/Method".
func (t *Tracer) clientMethod(cc *grpc.ClientConn, method string, opts []grpc.CallOption) *clientMethod {
	key := clientKey{method: method}
	if cc != nil {
		key.target = cc.Target()
	}
	if m := t.clients.get(key); m != nil {
		return m
	}
	var canonical string
	if cc != nil {
		canonical = cc.CanonicalTarget()
	}
	if silent(method) || static(opts) || described(method) {
		if m := t.clients.add(key, maxMethods,
			func() *clientMethod { return newClientMethod(method, key.target, canonical) }); m != nil {
			return m
		}
	}
	key.method = ""
	if m := t.clients.get(key); m != nil {
		return m
	}
	m := newClientMethod("", key.target, canonical)
	if kept := t.clients.add(key, 2*maxMethods, func() *clientMethod { return m }); kept != nil {
		return kept
	}
	return m
}

// newClientMethod makes the data of a method, or of all unknown methods if method is empty.
func newClientMethod(method, target, canonical string) *clientMethod {
	name, label := strings.TrimPrefix(method, "/"), strings.TrimPrefix(method, "/")
	spanName := name
	if name == "" {
		name, label, spanName = vocabulary.MethodOther, vocabulary.LabelMethodOther, vocabulary.SystemGRPC
	}
	base := []attribute.KeyValue{
		attribute.String(vocabulary.AttrSystem, vocabulary.SystemGRPC),
		attribute.String(vocabulary.AttrMethod, name),
	}
	if host, port := serverAddress(target, canonical); host != "" {
		base = append(base, attribute.String(vocabulary.AttrServerAddress, host))
		if port != 0 {
			base = append(base, attribute.Int(vocabulary.AttrServerPort, port))
		}
	}
	labels := []attribute.KeyValue{
		attribute.String(vocabulary.LabelMethod, label),
		attribute.String(vocabulary.LabelTarget, canonical),
	}
	m := &clientMethod{
		silent:  silent(method),
		unknown: method == "",
		call:    newBirth(spanName, trace.SpanKindClient, base...),
		attempt: newBirth(vocabulary.AttemptPrefix+spanName, trace.SpanKindClient, base...),
		started: []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(slices.Clone(labels)...))},
		calls:   outcomes{failed: clientFailed, labels: conventional(base, clientFailed)},
		attempts: outcomes{failed: clientFailed, labels: func(code codes.Code) []attribute.KeyValue {
			return append(slices.Clip(labels), attribute.String(vocabulary.LabelStatus, codeName(code)))
		}},
	}
	m.first = newBirth("", trace.SpanKindClient,
		append(slices.Clip(base), attribute.Int(vocabulary.AttrPreviousAttempts, 0))...).options
	return m
}

// serverMethod has the constant data of the calls of one method of a server.
type serverMethod struct {
	silent  bool
	unknown bool
	birth
	results  outcomes
	otelgrpc beside
}

// serverMethod returns the data of a registered method, or of all others if registered is false.
func (t *Tracer) serverMethod(method string, registered bool) *serverMethod {
	if !registered && !silent(method) {
		method = ""
	}
	if m := t.servers.get(method); m != nil {
		return m
	}
	if m := t.servers.add(method, maxMethods, func() *serverMethod { return newServerMethod(method) }); m != nil {
		return m
	}
	return newServerMethod("")
}

func newServerMethod(method string) *serverMethod {
	name := strings.TrimPrefix(method, "/")
	spanName := name
	if name == "" {
		name, spanName = vocabulary.MethodOther, vocabulary.SystemGRPC
	}
	base := []attribute.KeyValue{
		attribute.String(vocabulary.AttrSystem, vocabulary.SystemGRPC),
		attribute.String(vocabulary.AttrMethod, name),
	}
	return &serverMethod{
		silent:  silent(method),
		unknown: method == "",
		birth:   newBirth(spanName, trace.SpanKindServer, base...),
		results: outcomes{failed: serverFailed, labels: conventional(base, serverFailed)},
	}
}

// silent reports whether a method is an infrastructure method. Its calls are periodic and would hide the other calls.
func silent(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.v1.Health/") ||
		strings.HasPrefix(method, "/grpc.reflection.v1.ServerReflection/") ||
		strings.HasPrefix(method, "/grpc.reflection.v1alpha.ServerReflection/")
}

// static reports whether generated code makes the call, so that the number of methods is limited.
func static(opts []grpc.CallOption) bool {
	for _, opt := range opts {
		if _, ok := opt.(grpc.StaticMethodCallOption); ok {
			return true
		}
	}
	return false
}

// described reports whether a linked .proto describes the method.
func described(method string) bool {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return false
	}
	_, ok := descriptor.(protoreflect.MethodDescriptor)
	return ok
}
