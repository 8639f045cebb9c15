package xds

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// unrouted is the error of gRPC 1.85 for a call that waits for the first configuration of the control plane. The call
// chose its cluster before there were routes, and gRPC does not find that cluster in the routes afterwards.
const unrouted = `unknown cluster selected for RPC: ""`

// wasUnrouted reports whether a call failed with this error. Such a call reached no server. A server that returns the
// same error for its own call has a peer.
func wasUnrouted(err error, reached *peer.Peer) bool {
	if err == nil || reached.Addr != nil {
		return false
	}
	s := status.Convert(err)
	return s.Code() == codes.Unavailable && s.Message() == unrouted
}

// placeUnary repeats a call that failed with unrouted. Otherwise all waiting calls would fail at the same time, and the
// retry budget would not pay for all of them.
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

// placeStream is like placeUnary, for streams.
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
