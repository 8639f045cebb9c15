package xds

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// unrouted is what gRPC 1.85 fails a call with that waits for the first words of the control plane: the call was placed
// before there were routes, among which it is then not found.
const unrouted = `unknown cluster selected for RPC: ""`

// wasUnrouted reports whether a call failed in that way. It then reached nobody, which tells it from the answer of a
// server that has met with the same itself.
func wasUnrouted(err error, reached *peer.Peer) bool {
	if err == nil || reached.Addr != nil {
		return false
	}
	s := status.Convert(err)
	return s.Code() == codes.Unavailable && s.Message() == unrouted
}

// placeUnary places a call again that waited for the control plane. All that waited would otherwise fail together, and
// retries are bounded.
func placeUnary(
	ctx context.Context,
	method string,
	req, reply any,
	cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	var reached peer.Peer
	options := append(slices.Clip(opts), grpc.Peer(&reached))
	err := invoker(ctx, method, req, reply, cc, options...)
	if wasUnrouted(err, &reached) {
		return invoker(ctx, method, req, reply, cc, opts...)
	}
	return err
}

// placeStream is placeUnary for streams.
func placeStream(
	ctx context.Context,
	desc *grpc.StreamDesc,
	cc *grpc.ClientConn,
	method string,
	streamer grpc.Streamer,
	opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	var reached peer.Peer
	stream, err := streamer(ctx, desc, cc, method, append(slices.Clip(opts), grpc.Peer(&reached))...)
	if wasUnrouted(err, &reached) {
		return streamer(ctx, desc, cc, method, opts...)
	}
	return stream, err
}
