package frameworktest

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/framework"
)

// ClientFaults is what goes wrong with the calls of a client before they leave it, such as the faults of a mesh
// (istio.Faults).
type ClientFaults interface {
	// String says what goes wrong, in one line.
	fmt.Stringer
	// UnaryClientInterceptor meets unary calls.
	UnaryClientInterceptor(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
		opts ...grpc.CallOption,
	) error
	// StreamClientInterceptor meets streams.
	StreamClientInterceptor(
		ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer,
		opts ...grpc.CallOption,
	) (grpc.ClientStream, error)
}

// WithFaults lets faults meet the calls of a client under test, once per call and outside of retry. Describe shows
// them.
func WithFaults(f ClientFaults) framework.ClientOption {
	return clientFaults{framework.WithCallInterceptors(f.UnaryClientInterceptor, f.StreamClientInterceptor), f}
}

// clientFaults is the option of WithFaults.
type clientFaults struct {
	framework.ClientOption
	faults ClientFaults
}

func (c clientFaults) String() string { return fmt.Sprintf("frameworktest.WithFaults(%v)", c.faults) }
