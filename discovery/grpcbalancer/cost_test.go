package grpcbalancer

import (
	"slices"
	"testing"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/metadata"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/internal/orca"
)

// fixed always picks one endpoint.
type fixed struct{ endpoint *endpoint }

func (f fixed) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: f.endpoint}, nil
}

// A pick of a first attempt costs no memory over that of the child.
func TestPickTakesNoMemory(t *testing.T) {
	o := &channel{}
	o.usable.Store(2)
	e := &endpoint{channel: o}
	e.settle = func(info balancer.DoneInfo) { e.done(info, false) }
	e.name(nil)
	p := &picker{fixed{e}, o}
	ctx, _ := attempt.NewContext(t.Context(), 1, false, nil)
	if n := testing.AllocsPerRun(1000, func() {
		picked, err := p.Pick(balancer.PickInfo{Ctx: ctx})
		if err != nil {
			t.Fatal(err)
		}
		picked.Done(balancer.DoneInfo{})
	}); n != 0 {
		t.Errorf("%v allocations for each pick, want none", n)
	}
}

// A pick by weight and zone does not allocate either. The same holds for a call that is counted because outliers rest,
// and for a call with a load report.
func TestPoliciesTakeNoMemory(t *testing.T) {
	o := &channel{}
	o.usable.Store(2)
	outliers := Outliers{}.orDefault()
	o.outliers.Store(&outliers)
	e := &endpoint{channel: o}
	e.settle = func(info balancer.DoneInfo) { e.done(info, false) }
	e.name(nil)
	e.load.wanted.Store(true)
	trailer := metadata.MD{orca.Key: {string(orca.Report{Rate: 1, Utilization: 1}.Append(nil))}}
	ctx, _ := attempt.NewContext(t.Context(), 1, false, nil)
	spokes := func() []spoke { return []spoke{{picker: fixed{e}, weight: 1}, {picker: fixed{e}, weight: 2}} }
	p := &picker{&zonePicker{near: newWheel(spokes()), far: newWheel(spokes())}, o}
	if n := testing.AllocsPerRun(1000, func() {
		picked, err := p.Pick(balancer.PickInfo{Ctx: ctx})
		if err != nil {
			t.Fatal(err)
		}
		picked.Done(balancer.DoneInfo{Trailer: trailer})
	}); n != 0 {
		t.Errorf("%v allocations for each call, want none", n)
	}
}

func BenchmarkPickByZone(b *testing.B) {
	o := &channel{}
	o.usable.Store(2)
	outliers := Outliers{}.orDefault()
	o.outliers.Store(&outliers)
	e := &endpoint{channel: o}
	e.settle = func(info balancer.DoneInfo) { e.done(info, false) }
	e.name(nil)
	spokes := make([]spoke, 100)
	for i := range spokes {
		spokes[i] = spoke{picker: fixed{e}, weight: float64(i + 1)}
	}
	p := &picker{&zonePicker{near: newWheel(spokes), far: newWheel(slices.Clone(spokes))}, o}
	ctx, _ := attempt.NewContext(b.Context(), 1, false, nil)
	b.ReportAllocs()
	for b.Loop() {
		picked, err := p.Pick(balancer.PickInfo{Ctx: ctx})
		if err != nil {
			b.Fatal(err)
		}
		picked.Done(balancer.DoneInfo{})
	}
}

func BenchmarkPick(b *testing.B) {
	o := &channel{}
	o.usable.Store(2)
	e := &endpoint{channel: o}
	e.settle = func(info balancer.DoneInfo) { e.done(info, false) }
	e.name(nil)
	p := &picker{fixed{e}, o}
	ctx, _ := attempt.NewContext(b.Context(), 1, false, nil)
	for b.Loop() {
		if _, err := p.Pick(balancer.PickInfo{Ctx: ctx}); err != nil {
			b.Fatal(err)
		}
	}
}
