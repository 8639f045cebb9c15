// Package admin holds what a service shows to its operators: three HTTP surfaces, each meant for an address of its own.
//
//   - [Probes] answers /livez and /readyz and tells nothing else. It may listen anywhere.
//   - [Metrics] answers /metrics. It may listen where the monitoring reaches it.
//   - [New] is the admin surface: a live waterfall of recent calls, the state of the service, its configuration,
//     profiles. It tells much and has no login, so it must listen on loopback; [CheckLoopback] says whether an address is.
//
// The admin surface protects itself against pages of other sites that the operator's browser has open: it answers only
// to loopback host names, refuses requests that other sites cause, changes nothing on GET, and its page runs only its
// own script, which treats all that a peer may have written as text.
//
// The package only makes handlers. Who serves them owns the listeners.
package admin
