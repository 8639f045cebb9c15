package istio_test

import (
	"testing"

	"istio.io/istio/pkg/log"
)

// TestMain lets Istio be silent about rules that it leaves out. The tests look themselves.
func TestMain(m *testing.M) {
	if scope := log.FindScope("authorization"); scope != nil {
		scope.SetOutputLevel(log.NoneLevel)
	}
	m.Run()
}
