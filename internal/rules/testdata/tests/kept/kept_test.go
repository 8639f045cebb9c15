package kept_test

import "testing"

func TestKept(t *testing.T) {
	if testing.Short() { // want `testing.Short leaves a test out`
		t.Skip("no time") // want `t.Skip leaves a test out`
	}
	t.Run("sub", func(t *testing.T) {
		t.SkipNow() // want `t.SkipNow leaves a test out`
	})
	bytes := reader{}
	bytes.Skip(3)
}

func FuzzKept(f *testing.F) { f.Skipf("no") } // want `f.Skipf leaves a test out`

type reader struct{}

func (reader) Skip(int) {}
