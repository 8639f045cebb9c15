// Package framework builds gRPC services that prove who they are to each other, survive failure without causing storms,
// and show every attempt of every call.
//
// One [App] is one service. It yields servers, which generated code registers services with, and clients, which
// generated code calls through:
//
//	app := framework.New("orders", framework.WithConfigFile("orders.yaml"))
//	payments := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
//	ordersv1.RegisterOrdersServiceServer(app.Server(":8443"), &orders{payments: payments})
//	if err := app.Run(ctx); err != nil { log.Fatal(err) }
//
// # Chains
//
// The order of the interceptors is fixed. Read outside in:
//
//	client: call span > [Call] > deadline, retry > attempt span > [Attempt] > auth > wire
//	server: span > recovery > authenticate, authorize > access log > deadline > hop guard > chain guard > dedupe
//		> [Handler] > handler
//
// The steps in brackets are yours. Place them with [WithCallInterceptors], [WithAttemptInterceptors] and
// [WithHandlerInterceptors], always for unary calls and streams together. No interceptor of yours runs before the
// caller has been authenticated.
//
// # Mistakes
//
// Building an App never panics, never blocks and never exits the process. Mistakes are collected: [App.Check] returns
// all of them, and [App.Run] and the first RPC of a client refuse with the same error.
//
// # Configuration
//
// Code gives defaults, the file of [WithConfigFile] overrides code, and the environment overrides the file: the
// variable of a value is PARLEY_ and its path in upper case, so identity.trust_dir is PARLEY_IDENTITY_TRUST_DIR.
// Policies only tighten, wherever they are stated. Telemetry follows the standard OTEL_* variables.
package framework
