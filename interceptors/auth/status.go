package auth

import (
	"errors"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/rpcerr"
)

// refuse returns the refusal for a reason, with the code and the constant text that belong to it. The cause stays in this
// process.
func refuse(reason rpcerr.Reason, cause error) *rpcerr.Error {
	switch reason {
	case rpcerr.CredentialsMissing:
		return rpcerr.New(codes.Unauthenticated, reason, "the call carries no credential", cause)
	case rpcerr.CredentialsExpired:
		return rpcerr.New(codes.Unauthenticated, reason, "the credential has ended", cause)
	case rpcerr.CredentialsNotYetValid:
		return rpcerr.New(codes.Unauthenticated, reason, "the credential is not valid yet", cause)
	case rpcerr.ServerProofMissing:
		return rpcerr.New(codes.Unauthenticated, reason, "the server did not prove its identity; it may not speak Parley", cause)
	case rpcerr.ServerProofInvalid:
		return rpcerr.New(codes.Unauthenticated, reason, "the server's proof of identity does not hold", cause)
	case rpcerr.ServerIdentityMismatch:
		return rpcerr.New(codes.Unauthenticated, reason, "the server proved an identity that is not the expected one", cause)
	case rpcerr.KeysUnavailable:
		return rpcerr.New(codes.Unavailable, reason, "the keys to check a credential with cannot be had", cause)
	case rpcerr.ProofRequired:
		return rpcerr.New(codes.Unauthenticated, reason, "the call carries no proof that the caller holds its key", cause)
	case rpcerr.ProofReplayed:
		return rpcerr.New(codes.Unauthenticated, reason, "the proof was used before", cause)
	case rpcerr.TokenSourceUnavailable:
		return rpcerr.New(codes.Unavailable, reason, "no token to call with can be had", cause)
	case rpcerr.AuthOverloaded:
		return rpcerr.New(codes.ResourceExhausted, reason, "too many credentials wait to be checked", cause)
	case rpcerr.PolicyDenied:
		return rpcerr.New(codes.PermissionDenied, reason, "permission denied", cause)
	case rpcerr.InsufficientScope:
		return rpcerr.New(codes.PermissionDenied, reason, "permission denied; another token could do", cause)
	case rpcerr.ConnectionExpired:
		return rpcerr.New(codes.Unavailable, reason, "the connection has ended; a new one will do", cause)
	case rpcerr.ConfigurationInvalid:
		return rpcerr.New(codes.FailedPrecondition, reason, "the identity of this program is not usable; its Check says why", cause)
	default:
		return rpcerr.New(codes.Unauthenticated, rpcerr.CredentialsInvalid, "the credential does not hold", cause)
	}
}

// mismatch is the refusal of a server that is not among the expected ones, which it names: they are local configuration.
func mismatch(expected []Pattern, cause error) *rpcerr.Error {
	refusal := refuse(rpcerr.ServerIdentityMismatch, cause)
	names := make([]string, len(expected))
	for i, p := range expected {
		names[i] = p.String()
	}
	refusal.Message = "the server did not prove to be " + strings.Join(names, " or ")
	return refusal
}

// handshakeError is what a handshake returns to gRPC when a peer was refused. It has no GRPCStatus method on purpose: a
// picker whose error has one ends calls that wait for ready, and those should outlive a refusal that a change of trust
// can mend. The interceptor gives other calls the status.
type handshakeError struct{ refusal *rpcerr.Error }

func (e *handshakeError) Error() string {
	return "parley: " + string(e.refusal.Reason) + ": " + e.refusal.Message
}

func (e *handshakeError) Is(target error) bool { return e.refusal.Is(target) }

// Temporary tells gRPC whether to connect again soon.
func (e *handshakeError) Temporary() bool { return e.refusal.Code != codes.Unauthenticated }

// refusalOf returns the refusal behind an error of a handshake, or nil when the connection just broke.
func refusalOf(err error) *rpcerr.Error {
	refusal, _ := errors.AsType[*rpcerr.Error](err)
	return refusal
}
