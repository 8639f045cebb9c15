// Package framework builds gRPC services. The services prove their identities to each other, retry failed calls without
// overloading a failing service, and show every attempt of every call.
//
// An [App] is one service. It has servers, with which generated code registers services, and clients, with which
// generated code makes calls:
//
//	app := framework.New("orders", framework.WithConfigFile("orders.yaml"))
//	payments := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
//	ordersv1.RegisterOrdersServiceServer(app.Server(":8443"), &orders{payments: payments})
//	if err := app.Run(ctx); err != nil { log.Fatal(err) }
//
// # Chains
//
// The order of the interceptors is fixed. From outside to inside:
//
//	client: call span > [Call] > deadline, retry > attempt span > [Attempt] > auth > wire
//	server: span > recovery > authenticate, authorize > access log > deadline > hop guard > chain guard > dedupe
//		> [Handler] > handler
//
// The steps in brackets are interceptors of the program. Add them with [WithCallInterceptors],
// [WithAttemptInterceptors] and [WithHandlerInterceptors], always for unary calls and streams together. An interceptor
// of a server runs only after the caller has been authenticated.
//
// # Mistakes
//
// Building an App never panics, blocks or exits the process. The App collects mistakes. [App.Check] returns all of
// them, and [App.Run] and the first RPC of a client fail with the same error.
//
// # Configuration
//
// Code sets defaults, the file of [WithConfigFile] overrides code, and the environment overrides the file. The variable
// for a value is PARLEY_ and the path of the value in upper case: PARLEY_IDENTITY_TRUST_DIR for identity.trust_dir. A
// policy can only be tightened, in code and in the file. Telemetry uses the standard OTEL_* variables.
package framework
