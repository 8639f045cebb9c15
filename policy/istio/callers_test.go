package istio_test

import (
	"fmt"
	"sync"
	"testing"
)

// Many callers at once, more than a method keeps rules for, are each judged by their own ID.
func TestManyCallers(t *testing.T) {
	layers := parsed(t, head+"spec: {rules: [{from: [{source: {principals: [\"mesh.example/ns/shop/sa/even-*\"]}}]}]}\n")
	guards := compiled(t, layers, getOrder)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 400 {
				name := []string{"even", "odd"}[i%2]
				c := readCall(t, fmt.Sprintf("shop/%s-%d", name, i*(n%2+1)))
				ctx, made := c.context(t)
				if passes := guards[0].Judge(ctx, made) == nil; passes != (name == "even") {
					t.Errorf("%s passes: %v", c.id, passes)
				}
			}
		})
	}
	wg.Wait()
}
