// Package policy says what one method demands of its callers and allows to be done on their behalf: who may call it, how
// long a call may take, how a failed call is tried again and how a slow one is raced.
//
// The author of an RPC states its policy in the .proto, with the options of parley.policy.v1 and the standard
// idempotency_level. Code narrows it for one program ([Code]) and a file for one deployment ([File]). A [Table] merges the
// three for each method, and every value of the result knows where it was stated:
//
//	table, err := policy.New(policy.Code(narrowed))
//	m, err := table.Method("/shop.payments.v1.PaymentsService/Charge")
//	fmt.Println(m.Deadline.Value, m.Deadline.Source) // 2s proto shop/payments/v1/payments.proto: PaymentsService
//
// # Merge
//
// Narrowing only ever tightens, in whatever order the statements are merged:
//
//	deadline, attempts, time per attempt, hedges     the smallest
//	backoffs, delay of a hedge                       the largest
//	access, carrier                                  the strictest
//	peers                                            the caller must be in every list
//	scopes                                           all that are stated anywhere
//	retried codes                                    those that are in every list
//
// The statement about a service, in a .proto as well as under "/package.Service/*", holds for each of its methods, with
// one exception: a deadline stated for a service does not reach its streaming methods. A stream has a deadline only if
// its own method states one.
//
// Peers without access mean [AccessPeers]; scopes without access mean [AccessAuthenticated]. A carrier makes an anonymous
// method an authenticated one. A first backoff that another layer has raised above the largest one raises that too. One
// layer must not contradict itself; where two layers meet, the stricter one holds.
//
// # Views
//
// An interceptor does not ask the Table for each call. It compiles what it needs of a policy once for each method, in a
// [View], and then does one lock-free look-up for each call. [Table.Replace] takes a new set of layers while calls are
// running: either every View has compiled it and all of them see it at once, or nothing changes.
package policy
