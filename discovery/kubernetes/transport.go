package kubernetes

import (
	"net/http"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/parley-rpc/parley/discovery/driver"
)

// errDisconnected replaces the errors for which client-go would repeat a request.
const errDisconnected driver.Error = "the API server closed the connection without an answer"

// noRepeats makes client-go report a broken connection at once. It would repeat the request ten times, a second apart.
// The Registry repeats and paces requests itself, and an engine that has not failed yet counts as silent.
func noRepeats(transport http.RoundTripper) http.RoundTripper { return reporting{transport} }

type reporting struct{ transport http.RoundTripper }

func (r reporting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.transport.RoundTrip(request)
	if utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err) {
		err = errDisconnected
	}
	return response, err
}

// WrappedRoundTripper lets client-go find the transport below.
func (r reporting) WrappedRoundTripper() http.RoundTripper { return r.transport }
