// Package policy says what one method demands of its callers and allows to be done on their behalf: who may call it,
// how long a call may take, how a failed call is tried again and how a slow one is raced.
//
// The author of an RPC states its policy in the .proto, with the options of parley.policy.v1 and the standard
// idempotency_level. Code narrows it for one program ([Code]) and a file for one deployment ([File]). A [Table] merges
// the three for each method, and every value of the result knows where it was stated:
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
//	access, carrier, proof, presence of a user       the strictest
//	peers                                            the caller must be in every list
//	scopes of the caller and of the user             all that are stated anywhere
//	deny rules                                       all that are stated anywhere
//	allow rules                                      one of every list must hold
//	issuers of the user                              those that are in every list
//	retried codes                                    those that are in every list
//
// The statement about a service, in a .proto as well as under "/package.Service/*", holds for each of its methods, with
// one exception: a deadline stated for a service does not reach its streaming methods. A stream has a deadline only if
// its own method states one.
//
// A layer may also speak of a package and those below it, "/package.*", and of every method, "/*". All of its
// statements about a method are merged, the widest first; none takes back what a wider one states. Such statements meet
// methods of all kinds, so they are not compared with those about one service.
//
// What a statement puts on trial (dry_run) is merged by the same rules, and apart from what is in force: a trial takes
// nothing back, wherever it is stated. A method whose every decision is on trial has no decision.
//
// One statement loosens: idempotency, in code or a file, says that a method may be repeated whose .proto does not say
// whether it may. It says nothing against a .proto that does, and of two layers the one that promises less counts.
//
// Peers without access mean [AccessPeers]; scopes or allow rules without access mean [AccessAuthenticated]. Deny rules
// and a demand for a user decide nothing by themselves. A carrier or a proof makes an anonymous method an
// authenticated one. A first backoff that another layer has raised above the largest one raises that too. One layer
// must not contradict itself; where two layers meet, the stricter one holds.
//
// # Views
//
// An interceptor does not ask the Table for each call. It compiles what it needs of a policy once for each method, in a
// [View], and then does one lock-free look-up for each call. [Table.Replace] takes a new set of layers while calls are
// running: either every View has compiled it and all of them see it at once, or nothing changes.
package policy
