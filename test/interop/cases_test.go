package interop_test

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
)

// interopCase is one case of gRPC's interoperability test suite
// (https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md).
type interopCase struct {
	name string
	run  func(context.Context, grpc.ClientConnInterface)
	// mayMiss marks a case that need not reach a handler: it gives up early, or calls what no server implements.
	mayMiss bool
}

// cases lists the cases that need no cloud credentials.
func cases() []interopCase {
	return []interopCase{
		{name: "empty_unary", run: onTestService(interop.DoEmptyUnaryCall)},
		{name: "large_unary", run: onTestService(interop.DoLargeUnaryCall)},
		{name: "client_streaming", run: onTestService(interop.DoClientStreaming)},
		{name: "server_streaming", run: onTestService(interop.DoServerStreaming)},
		{name: "ping_pong", run: onTestService(interop.DoPingPong)},
		{name: "empty_stream", run: onTestService(interop.DoEmptyStream)},
		{name: "timeout_on_sleeping_server", run: connected(onTestService(interop.DoTimeoutOnSleepingServer))},
		{name: "cancel_after_begin", mayMiss: true, run: onTestService(interop.DoCancelAfterBegin)},
		{name: "cancel_after_first_response", run: onTestService(interop.DoCancelAfterFirstResponse)},
		{name: "custom_metadata", run: onTestService(interop.DoCustomMetadata)},
		{name: "status_code_and_message", run: onTestService(interop.DoStatusCodeAndMessage)},
		{name: "special_status_message", run: onTestService(interop.DoSpecialStatusMessage)},
		{name: "unimplemented_method", mayMiss: true, run: func(ctx context.Context, client grpc.ClientConnInterface) {
			cc := through(client)
			defer func() { _ = cc.Close() }()
			interop.DoUnimplementedMethod(ctx, cc)
		}},
		{name: "unimplemented_service", mayMiss: true, run: func(ctx context.Context, client grpc.ClientConnInterface) {
			interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(client))
		}},
	}
}

func onTestService(
	do func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption),
) func(context.Context, grpc.ClientConnInterface) {
	return func(ctx context.Context, client grpc.ClientConnInterface) {
		do(ctx, testgrpc.NewTestServiceClient(client))
	}
}

// connected makes one call before a case whose deadline is too short to connect, so that the case meets a server.
func connected(run func(context.Context, grpc.ClientConnInterface)) func(context.Context, grpc.ClientConnInterface) {
	return func(ctx context.Context, client grpc.ClientConnInterface) {
		interop.DoEmptyUnaryCall(ctx, testgrpc.NewTestServiceClient(client))
		run(ctx, client)
	}
}

// through wraps a client for the one case that asks for a *grpc.ClientConn: a connection that is never made, in front
// of which every call turns to client.
func through(client grpc.ClientConnInterface) *grpc.ClientConn {
	cc, err := grpc.NewClient(
		"passthrough:///never-dialled",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(
			func(
				ctx context.Context, method string, req, reply any, _ *grpc.ClientConn, _ grpc.UnaryInvoker,
				opts ...grpc.CallOption,
			) error {
				return client.Invoke(ctx, method, req, reply, opts...)
			},
		),
	)
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return cc
}
