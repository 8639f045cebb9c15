package policy_test

import (
	"sync"
	"testing"
	"time"

	"github.com/parley-rpc/parley/policy"
)

// TestReplaceIsAllOrNothing replaces policies under load. Each set of layers gives two methods the same deadline, which
// grows shorter from set to set. Whoever has seen a set through one View must not see an older one through another.
func TestReplaceIsAllOrNothing(t *testing.T) {
	const sets = 200
	at := func(set int) time.Duration { return time.Second - time.Duration(set)*time.Millisecond }
	layer := func(set int) policy.Layer {
		return file(policies{charge: deadline(at(set)), refund: deadline(at(set))})
	}
	table := newTable(t, layer(0))
	views := []*policy.View[time.Duration]{deadlines(table), deadlines(table), deadlines(table)}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Go(func() {
			last := time.Second
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				seen, err := views[n%len(views)].Get([]string{charge, refund}[n%2])
				if err != nil || seen > last {
					t.Errorf("saw %v, %v after %v", seen, err, last)
					return
				}
				last = seen
			}
		})
	}
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			late := deadlines(table)
			_, _ = late.Get(charge)
			_, _ = late.Get("/unknown.Service/Method")
			late.Close()
		}
	})
	for set := range sets {
		if err := table.Replace(layer(set)); err != nil {
			t.Error(err)
		}
		if err := table.Replace(file(policies{charge: deadline(-1)})); err == nil {
			t.Error("a bad layer was taken")
		}
	}
	close(stop)
	readers.Wait()
	for _, v := range views {
		want(t, v, charge, at(sets-1))
	}
}
