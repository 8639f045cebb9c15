// Package decide compiles a policy of who may call a method into requirements, judges calls by them, and explains how.
// It needs no server: a [Server] says what one can prove of its callers, so that a policy that no call can meet is a
// mistake before the server starts. [Compile] is the way in, [Policy.Judge] and [Policy.Explain] the way out.
package decide
