package orca_test

import (
	"math"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/internal/orca"
)

// The encodings that the generated code of xds.data.orca.v3.OrcaLoadReport makes.
const (
	plain = "1\x00\x00\x00\x00\x00\x00Y@9\x00\x00\x00\x00\x00\x00\x14@I\x00\x00\x00\x00\x00\x00\xe8?"
	whole = "\t\x00\x00\x00\x00\x00\x00\xd0?\x11\x00\x00\x00\x00\x00\x00\xe0?\"\f\n\x01a\x11\x00\x00\x00\x00\x00\x00\xf0?*\f\n\x01b\x11\x00\x00\x00\x00\x00\x00\x00@1\x00\x00\x00\x00\x00\x00Y@9\x00\x00\x00\x00\x00\x00\x14@B\f\n\x01c\x11\x00\x00\x00\x00\x00\x00\b@I\x00\x00\x00\x00\x00\x00\xe8?"
	cpu   = "\t\x00\x00\x00\x00\x00\x00\xd0?"
)

func TestReportsOfOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want orca.Report
	}{
		"plain":         {plain, orca.Report{Rate: 100, Errors: 5, Utilization: 0.75}},
		"every field":   {whole, orca.Report{Rate: 100, Errors: 5, Utilization: 0.75}},
		"processors":    {cpu, orca.Report{Utilization: 0.25}},
		"nothing":       {"", orca.Report{}},
		"field 6, text": {"2\x01x", orca.Report{}},
	} {
		if got, err := orca.Parse([]byte(tt.text)); err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tt.want)
		}
	}
	if got := string(orca.Report{Rate: 100, Errors: 5, Utilization: 0.75}.Append(nil)); got != plain {
		t.Errorf("a report is written as %q, want %q", got, plain)
	}
}

func TestReportsThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"cut short":     plain[:5],
		"negative":      string(orca.Report{Rate: -1}.Append(nil)),
		"infinite":      string(orca.Report{Errors: math.Inf(1)}.Append(nil)),
		"no number":     string(orca.Report{Utilization: math.NaN()}.Append(nil)),
		"no tag":        "\xff",
		"length beyond": "\"\x7fa",
	} {
		if got, err := orca.Parse([]byte(text)); err == nil || got != (orca.Report{}) {
			t.Errorf("%s: %+v, %v; want an error alone", name, got, err)
		}
	}
	for name, trailer := range map[string]metadata.MD{
		"none": nil, "two": metadata.Pairs(orca.Key, plain, orca.Key, plain), "bad": metadata.Pairs(orca.Key, "\xff"),
	} {
		if _, ok := orca.FromTrailer(trailer); ok {
			t.Errorf("%s: there is a report, want none", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{plain, whole, cpu, "", "\xff"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := orca.Parse(text)
		if err != nil {
			return
		}
		if again, err := orca.Parse(r.Append(nil)); err != nil || again != r {
			t.Errorf("%+v is read again as %+v, %v", r, again, err)
		}
	})
}
