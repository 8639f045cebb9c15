package policy

import (
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/principal"
)

// Access is how strictly callers are checked. A larger value is stricter.
type Access int

// The levels of access.
const (
	// No decision was made.
	AccessUnspecified Access = iota
	// Anyone may call, proven or not.
	AccessAnonymous
	// Any workload with a proven identity of an accepted trust domain may call.
	AccessAuthenticated
	// Only the workloads that are listed as peers may call.
	AccessPeers
	// No caller may call.
	AccessDenied
)

// String is the level as a configuration file writes it.
func (a Access) String() string {
	switch a {
	case AccessUnspecified:
		return "unspecified"
	case AccessAnonymous:
		return "anonymous"
	case AccessAuthenticated:
		return "authenticated"
	case AccessPeers:
		return "peers"
	case AccessDenied:
		return "denied"
	default:
		return "invalid access"
	}
}

// Proof is how often the two ends of a call in token mode prove themselves to each other. A larger value is stricter.
type Proof int

// The levels of proof.
const (
	// Same as ProofSession.
	ProofUnspecified Proof = iota
	// The server proves itself to each channel once a minute.
	ProofSession
	// The server proves itself in each call anew.
	ProofCall
	// As ProofCall, and the caller proves in each attempt that it holds its key.
	ProofWPT
)

// String is the proof as a configuration file writes it.
func (p Proof) String() string {
	switch p {
	case ProofUnspecified:
		return "unspecified"
	case ProofSession:
		return "session"
	case ProofCall:
		return "call"
	case ProofWPT:
		return "wpt"
	default:
		return "invalid proof"
	}
}

func (r *reader) access(a policyv1.Access) Access {
	switch a {
	case policyv1.Access_ACCESS_UNSPECIFIED:
		return AccessUnspecified
	case policyv1.Access_ACCESS_ANONYMOUS:
		return AccessAnonymous
	case policyv1.Access_ACCESS_AUTHENTICATED:
		return AccessAuthenticated
	case policyv1.Access_ACCESS_PEERS:
		return AccessPeers
	case policyv1.Access_ACCESS_DENIED:
		return AccessDenied
	default:
		r.wrong("auth.access", "%d is no level of access; no call passes until it is corrected", int32(a))
		return AccessDenied
	}
}

func (r *reader) carrier(c policyv1.Carrier) principal.Carrier {
	switch c {
	case policyv1.Carrier_CARRIER_UNSPECIFIED:
		return principal.CarrierUnspecified
	case policyv1.Carrier_CARRIER_TOKEN:
		return principal.CarrierToken
	case policyv1.Carrier_CARRIER_CONNECTION:
		return principal.CarrierConnection
	default:
		r.wrong("auth.carrier", "%d is no carrier; say CARRIER_TOKEN or CARRIER_CONNECTION, or leave it out", int32(c))
		return principal.CarrierConnection
	}
}

func (r *reader) proof(p policyv1.Proof) Proof {
	switch p {
	case policyv1.Proof_PROOF_UNSPECIFIED:
		return ProofUnspecified
	case policyv1.Proof_PROOF_SESSION:
		return ProofSession
	case policyv1.Proof_PROOF_CALL:
		return ProofCall
	case policyv1.Proof_PROOF_WPT:
		return ProofWPT
	default:
		r.wrong("auth.proof", "%d is no level of proof; say PROOF_SESSION, PROOF_CALL or PROOF_WPT, or leave it out",
			int32(p))
		return ProofWPT
	}
}
