// Package dedupe runs a unary call that carries an idempotency key once, however often it arrives: further calls with
// the same key get the answer of the first. That is what lets a client retry a method that must not be repeated.
//
//	d := dedupe.New(dedupe.WithCaller(callerOf))
//	srv := grpc.NewServer(grpc.ChainUnaryInterceptor(authenticate, d.UnaryServerInterceptor))
//
// The interceptor belongs directly around the handler, inside of everything that may refuse a call: what is refused
// before has not been run and is not remembered. On the client, retry.WithKeyedMethods states that the server does
// this.
//
// # What makes two calls the same
//
// The proven caller, the method, and the key (the metadata parley-idempotency-key). A hash of the request is kept with
// them: a key that comes back with another request is refused with INVALID_ARGUMENT, because one of the two is a
// mistake. Give [WithCaller] wherever callers are authenticated; without it, callers share one space of keys. Calls
// without a key pass through.
//
// # What is remembered
//
// A handler that began is not run again for the same key until the key expires ([WithTTL]):
//
//	OK, and statuses that decide           answered again, as they were
//	UNAVAILABLE and others that leave      answered again, with a pushback that forbids further attempts: it is not
//	open whether something was done, and   known what the handler did
//	panics
//	what the handler undid or never did    forgotten, and the next attempt runs the handler ([Undone], [WithUndone])
//
// Statuses that leave it open are CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL,
// UNAVAILABLE and DATA_LOSS. The status and the reply are kept; headers and trailers that the handler set are not. An
// answer that is given again carries the trailer parley-idempotency-replayed.
//
// A call that arrives while the first is at work waits for its outcome. So that there is an outcome, a handler with a
// key goes on when its caller gives up: its context does not end with the call but after [WithHandlerTimeout].
//
// # Limits
//
// The default [Store] is in the memory of one process: it does not know what another replica did, nor what happened
// before a restart. A service with several replicas needs a store that they share; package storetest checks one. A
// store that is full, or that fails, makes calls with keys fail before their handlers run: forgetting a key early could
// run a handler twice.
//
// Streams are not deduplicated: what they did cannot be given again. A key on a stream is not looked at.
package dedupe
