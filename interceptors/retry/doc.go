// Package retry tries failed gRPC calls again: seldom enough never to make an outage worse, and only where repeating a
// call repeats nothing that was done.
//
//	cc, err := grpc.NewClient(target, append(retry.New().DialOptions(), creds)...)
//
// A [Retrier] belongs to one called service. It applies the deadline of each method, decides after each failed attempt
// whether there is another one, waits, and hands the caller the real status of the last attempt in an [*Error], which
// also holds the number of attempts, the endpoints they reached, and the one [StopReason].
//
// # When a call is tried again
//
// After a failed attempt these questions are asked in this order. The first one that is answered with no ends the call:
//
//	has the call still a caller, time, and a channel?         canceled, deadline, closing
//	has it attempts left?                                     attempts_exhausted
//	can its status be retried?                                not_retryable
//	may the method be repeated, or did it provably not run?   not_idempotent
//	does the server not forbid it?                            pushback
//	is retrying switched on?                                  switched_off
//	is this call not below a retry of an upstream caller?     upstream_is_retrying
//	is the method's circuit closed?                           circuit_open
//	is there time for the wait and for a typical attempt?     deadline
//	is there budget?                                          budget
//
// By default UNAVAILABLE can be retried, and RESOURCE_EXHAUSTED if the server says when; a method's policy may name
// other codes. PERMISSION_DENIED is never retried. UNAUTHENTICATED is retried once for each call if the interceptor
// that owns the credential has fetched a new one (Renew of package attempt). This retry does not wait and does not cost
// budget. It is made even if retries are switched off, an upstream caller retries, or the circuit is open. The
// idempotency_level of the .proto decides whether a method may be repeated; where it states none, a policy in code or a
// file may. Without a statement, a call is tried again only if no byte of it reached a server, or if the trailer
// parley-unprocessed says that the handler never ran.
//
// The wait is drawn between zero and a bound that doubles ("full jitter"), capped before it is drawn. A server that
// sends the trailer grpc-retry-pushback-ms (gRFC A6) decides the wait, and a google.rpc.RetryInfo is its lower bound;
// up to a tenth is added at random, so that the callers do not all come back at the same time.
//
// A wait that would leave no time for an attempt of the usual length does not begin: the caller has the real error at
// once, rather than DEADLINE_EXCEEDED later.
//
// An attempt that could not leave the client, because there is no connection, is no load on the service. Where retries
// are switched on, the call waits for the connection, as long as an attempt still has time after that; this costs no
// attempt and no budget, and does not ask what is above or the circuit. A stream without a deadline waits for ten
// seconds.
//
// An end that was planned (the reason PLANNED_END of package rpcerr: the age of a connection, a drain, a renewed key)
// is moved on from after a short wait, for free, where the method may be repeated; but one that comes within ten
// seconds of another one in the same call costs like any failure.
//
// # Deadlines
//
// The deadline of a method covers all of its attempts and waits. A unary call for which neither the caller nor the
// method states a deadline gets ten seconds (see [WithDefaultDeadline]).
//
// The per-attempt timeout of a method makes room for another attempt, and ends an attempt only if one may follow: it is
// decided when the timeout passes, by the questions above, and the token of that other attempt is taken then. Every
// other attempt has all the time that is left: the last one, that of a method that must not be repeated, or one that is
// out when the budget is empty. The server is told the deadline of the call.
//
// # Budget
//
// Retries and hedges cost tokens that successes earn (see [Budget]). While a service fails altogether, a retrier sends
// it hardly more than the first attempts. There is one budget for each Retrier, so make one Retrier for each called
// service and keep it: it outlives connections and address updates. [WithBudgetOf] lets several share one,
// [WithMeterProvider] shows it.
//
// # Hedging
//
// Where the policy of a method wants it, a unary call that takes longer than usual is raced by a second attempt: after
// the policy's delay, or once 100 attempts are known after their 95th percentile. Each attempt has its own context,
// reply and call options; the first success wins and the others are cancelled. A failure that could be retried never
// beats an attempt in flight, and sends the next hedge at once; any other failure is an answer. Hedges cost budget and
// count as attempts. A call is not hedged if its method may not be repeated, or if the balancing policy has only one
// endpoint (package discovery/grpcbalancer, or [WithEndpoints]). That policy also sends the hedge to another endpoint.
//
// # Chains of services
//
// [UnaryServerInterceptor] and [StreamServerInterceptor] keep retries from multiplying along a chain of services: a
// call below a retry is not retried, and a service whose own call has failed after its retries tells its callers not to
// retry. The comment of the first states the bound.
//
// # Other I/O
//
// [Do] tries any other function again by the same rules, from the same budget.
//
// # Streams
//
// A stream is tried again by the same rules, until its caller has something of it: a message, the header (one that only
// the server has set does not count), or the context. From then on it is committed, and an error passes as it is, with
// the reason committed. Before that, a new attempt is sent everything again that the stream has sent, in the bytes that
// the first attempt has encoded: the caller may reuse its messages. They are kept until the stream is committed, up to
// 256 KiB for each stream and 64 MiB for each Retrier (see [WithReplayLimit], [WithReplayMemory]). A stream that sends
// more continues without another attempt (buffer_overflow). A stream that sends a message that cannot be kept, such as
// a grpc.PreparedMsg, is committed. SendMsg returns io.EOF only when it is decided that no other attempt follows.
//
// A stream has a deadline only if its caller or its method states one. The per-attempt timeout bounds the opening of an
// attempt, and then the time that the caller waits for the first message or the header. Where requests are streamed it
// counts from the end of them, or in both directions from the first one. Streams are not hedged.
//
// With [Resume] an application continues a server stream after the last received message.
//
// # Limits
//
// gRPC's own retry must be off, or the two multiply. [Retrier.DialOptions] switches it off; who does that by hand says
// so [WithNativeRetryOff]. A channel that was dialled otherwise, and whose service config has a retry policy for the
// method, is left to gRPC: the Retrier then makes one attempt and says so once (see [WithLogger]). gRPC's transparent
// retries, of requests that never left the client, stay on.
//
// # Traces and metrics
//
// Attempts after the first carry the metadata grpc-previous-rpc-attempts (gRFC A6). Each attempt carries a value of
// package attempt in its context. If the caller's span records, it gets the events retry.scheduled, retry.pushback,
// retry.exhausted and retry.aborted and the attributes parley.attempts, parley.retry.outcome, parley.retry.stop_reason
// and parley.retry.delay. Header, Trailer and Peer options of the caller show the final attempt, and OnFinish is called
// once for each call. All other call options, WaitForReady among them, hold for each attempt.
package retry
