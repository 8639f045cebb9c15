package tracing

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/internal/vocabulary"
)

// outcome has the attributes of the RPCs of one method that end with one status.
type outcome struct {
	failed     bool
	attributes []attribute.KeyValue  // for the span
	labels     []metric.RecordOption // for the duration; made once, so that measuring does not allocate
}

// outcomes are the outcomes of one method. They are made when they occur for the first time.
type outcomes struct {
	failed func(codes.Code) bool
	labels func(codes.Code) []attribute.KeyValue
	made   [numCodes]atomic.Pointer[outcome]
}

func (o *outcomes) of(code codes.Code) *outcome {
	code = known(code)
	if made := o.made[code].Load(); made != nil {
		return made
	}
	made := &outcome{
		failed:     o.failed(code),
		attributes: []attribute.KeyValue{attribute.String(vocabulary.AttrStatusCode, codeName(code))},
		labels:     []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(o.labels(code)...))},
	}
	if made.failed {
		made.attributes = append(made.attributes, attribute.String(vocabulary.AttrErrorType, codeName(code)))
	}
	o.made[code].Store(made)
	return made
}

// conventional returns the labels of the semantic conventions: base, the status, and the error type if the status is an
// error.
func conventional(base []attribute.KeyValue, failed func(codes.Code) bool) func(codes.Code) []attribute.KeyValue {
	return func(code codes.Code) []attribute.KeyValue {
		labels := append(slices.Clip(base), attribute.String(vocabulary.AttrStatusCode, codeName(code)))
		if failed(code) {
			labels = append(labels, attribute.String(vocabulary.AttrErrorType, codeName(code)))
		}
		return labels
	}
}

// operation is one running call, attempt or served call.
type operation struct {
	ctx     context.Context
	span    trace.Span // nil if it is not recorded
	clock   time.Time  // the reference time; reading the time since then costs half of reading the time
	began   time.Duration
	elapsed metric.Float64Histogram // nil if it is not measured
	results *outcomes
}

// time starts the clock of the operation.
func (o *operation) time(t *Tracer, elapsed metric.Float64Histogram) {
	o.elapsed, o.clock = elapsed, t.born
	o.began = time.Since(o.clock)
}

// kept reports whether the operation is recorded or measured.
func (o *operation) kept() bool { return o.span != nil || o.elapsed != nil }

// end records how the operation ended. Details are further attributes for its span.
func (o *operation) end(err error, details ...attribute.KeyValue) {
	if !o.kept() {
		return
	}
	st := statusOf(err)
	result := o.results.of(st.Code())
	if o.elapsed != nil {
		o.elapsed.Record(o.ctx, (time.Since(o.clock) - o.began).Seconds(), result.labels...)
	}
	if o.span == nil {
		return
	}
	o.span.SetAttributes(append(slices.Clip(result.attributes), details...)...)
	if result.failed {
		o.span.SetStatus(otelcodes.Error, describe(st.Message()))
	}
	o.span.End()
}
