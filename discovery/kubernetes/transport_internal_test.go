package kubernetes

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	client "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"

	"github.com/parley-rpc/parley/discovery/driver"
)

// broken is a transport whose connections break.
type broken struct {
	err  error
	made int
}

func (b *broken) RoundTrip(*http.Request) (*http.Response, error) {
	b.made++
	return nil, b.err
}

// A connection that breaks is reported at once and not after repetitions of client-go, during which the engine would
// count as silent.
func TestABrokenConnectionIsReportedAtOnce(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for name, test := range map[string]struct{ err, want error }{
		"closed":       {io.EOF, errDisconnected},
		"closed early": {io.ErrUnexpectedEOF, errDisconnected},
		"reset":        {&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, errDisconnected},
		"lost":         {errors.New("http2: client connection lost"), errDisconnected},
		"refused":      {refused, syscall.ECONNREFUSED},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &broken{err: test.err}
				config := &rest.Config{Host: "http://cluster", Transport: b, QPS: -1}
				config.Wrap(noRepeats)
				c, err := client.NewForConfig(config)
				if err != nil {
					t.Fatal(err)
				}
				d, err := New(Config{Client: c, Namespace: "shop"})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = d.Close() }()
				began := time.Now()
				err = d.Watch(t.Context(), "payments", func([]driver.Instance) {})
				if took := time.Since(began); !errors.Is(err, test.want) || took != 0 || b.made != 1 {
					t.Errorf("got %v after %v and %d requests, want %v at once", err, took, b.made, test.want)
				}
			})
		})
	}
}
