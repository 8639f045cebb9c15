package grpcbalancer

import (
	"testing"

	"google.golang.org/grpc/balancer"

	"github.com/parley-rpc/parley/attempt"
)

// fixed always picks one endpoint.
type fixed struct{ endpoint *endpoint }

func (f fixed) Pick(balancer.PickInfo) (balancer.PickResult, error) {
	return balancer.PickResult{SubConn: f.endpoint}, nil
}

// A pick of a first attempt costs no memory over that of the child.
func TestPickTakesNoMemory(t *testing.T) {
	o := &outlet{}
	o.usable.Store(2)
	e := &endpoint{outlet: o}
	e.settle = e.done
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

func BenchmarkPick(b *testing.B) {
	o := &outlet{}
	o.usable.Store(2)
	e := &endpoint{outlet: o}
	e.settle = e.done
	e.name(nil)
	p := &picker{fixed{e}, o}
	ctx, _ := attempt.NewContext(b.Context(), 1, false, nil)
	for b.Loop() {
		if _, err := p.Pick(balancer.PickInfo{Ctx: ctx}); err != nil {
			b.Fatal(err)
		}
	}
}
