package xds_test

import (
	"testing"
	"time"

	"google.golang.org/grpc"
)

// Calls that wait for ready, however many, wait for the control plane, too.
func TestCallsWaitForTheControlPlane(t *testing.T) {
	plane := found(t)
	plane.Stop()
	cc := dial(t, "xds:///echo")
	if err := echo(t, cc); err == nil {
		t.Fatal("a call that does not wait went through without a control plane")
	}
	const calls = 40
	ended := make(chan error, 2*calls)
	for range calls {
		go func() { ended <- echo(t, cc, grpc.WaitForReady(true)) }()
		go func() { ended <- echoes(t, cc, grpc.WaitForReady(true)) }()
	}
	<-time.After(100 * time.Millisecond) // for them to wait
	plane.Resume()
	for range 2 * calls {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
