// Package wire is docs/protocol.md as code: the frames and proofs of a handshake, the proofs and metadata of token
// mode, and identity tokens. Both ends use the same types: one end signs a [Proof], the other checks its claims against
// the same fields. Keys, trust and policy stand elsewhere: a check begins when the signature has held.
package wire
