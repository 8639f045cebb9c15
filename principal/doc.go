// Package principal says who a call is from and for: workloads, which are named by an [ID], and end users. It is the
// one place where IDs are read.
//
// A handler asks for the caller that was proven, and for the user on whose behalf it calls:
//
//	caller, ok := principal.PeerFromContext(ctx)
//	user, ok := principal.UserFromContext(ctx)
//
// Package interceptors/auth proves them. This package depends on none that does, so that policies, rules and handlers
// may name a caller without linking authentication.
package principal
