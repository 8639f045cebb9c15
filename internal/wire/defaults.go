package wire

import "time"

// Sizes and lifetimes of docs/protocol.md.
const (
	// maxFrameBody is the most bytes in the body of a handshake frame.
	maxFrameBody = 8192
	// proofLifetime is how long a handshake proof is valid after it was signed.
	proofLifetime = 30 * time.Second
	// MaxProofLifetime is the longest lifetime of a handshake proof that is accepted.
	MaxProofLifetime = time.Minute
	// ClockSkew is how far the clocks of two peers may differ.
	ClockSkew = 30 * time.Second
	// NonceBytes is the length of that nonce.
	NonceBytes = 16
	// minNonceBytes is the length of the shortest nonce that a server takes.
	minNonceBytes = 16
	// maxNonceBytes is the length of the longest one.
	maxNonceBytes = 32
	// ReplyProofLifetime is how long a server's proof in token mode is valid.
	ReplyProofLifetime = time.Minute
	// possessionLifetime is how long a proof of possession is valid after it was signed; longer ones than a handshake
	// proof's are refused.
	possessionLifetime = 30 * time.Second
	// maxProofIDLength is the most bytes of the jti of a proof of possession.
	maxProofIDLength = 128
	// MaxIdentityLifetime is the longest lifetime of a workload identity token that is accepted.
	MaxIdentityLifetime = time.Hour
	// enrollmentLifetime is how long a proof of a new key is valid after it was signed.
	enrollmentLifetime = 30 * time.Second
)
