// Package orca reads and writes load reports: the message xds.data.orca.v3.OrcaLoadReport in the trailer of a call,
// which says how busy the server is (gRFC A51). The message is small and final, and its generated code would make every
// user of Parley link modules of Envoy.
package orca

import (
	"errors"
	"math"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
)

// Key is the trailer that carries a report.
const Key = "endpoint-load-metrics-bin"

// Report is one server's statement of its own load.
type Report struct {
	// Rate is calls a second.
	Rate float64
	// Errors is failed calls a second.
	Errors float64
	// Utilization is that of the application, from 0; where it says nothing, that of the processors.
	Utilization float64
}

// The fields of the message that are of use here.
const (
	cpuUtilization         protowire.Number = 1
	rpsFractional          protowire.Number = 6
	eps                    protowire.Number = 7
	applicationUtilization protowire.Number = 9
)

// Append appends the encoding of r to b.
func (r Report) Append(b []byte) []byte {
	for _, f := range []struct {
		number protowire.Number
		value  float64
	}{{rpsFractional, r.Rate}, {eps, r.Errors}, {applicationUtilization, r.Utilization}} {
		if f.value != 0 {
			b = protowire.AppendFixed64(protowire.AppendTag(b, f.number, protowire.Fixed64Type), math.Float64bits(f.value))
		}
	}
	return b
}

// FromTrailer returns the report in a trailer. It returns false where there is none, or several, or one that cannot be
// read.
func FromTrailer(trailer metadata.MD) (Report, bool) {
	values := trailer[Key]
	if len(values) != 1 {
		return Report{}, false
	}
	r, err := Parse([]byte(values[0]))
	return r, err == nil
}

var errRange = errors.New("orca: a measure is negative or no number")

// Parse reads a report and passes over the fields that are not in Report. Measures that are negative, infinite or no
// numbers are an error.
func Parse(b []byte) (Report, error) {
	var r Report
	var cpu float64
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return Report{}, protowire.ParseError(n)
		}
		b = b[n:]
		var to *float64
		switch number {
		case cpuUtilization:
			to = &cpu
		case rpsFractional:
			to = &r.Rate
		case eps:
			to = &r.Errors
		case applicationUtilization:
			to = &r.Utilization
		default: // of no use here
		}
		if to == nil || kind != protowire.Fixed64Type {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return Report{}, protowire.ParseError(n)
			}
			b = b[n:]
			continue
		}
		bits, n := protowire.ConsumeFixed64(b)
		if n < 0 {
			return Report{}, protowire.ParseError(n)
		}
		b = b[n:]
		if *to = math.Float64frombits(bits); !(*to >= 0) || math.IsInf(*to, 1) {
			return Report{}, errRange
		}
	}
	if r.Utilization == 0 {
		r.Utilization = cpu
	}
	return r, nil
}
