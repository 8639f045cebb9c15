package verify

import (
	"errors"

	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/rpcerr"
)

// ErrKeysUnavailable says that a credential could not be checked. It does not mean that the credential is bad.
var ErrKeysUnavailable = errors.New("auth: no keys to check it with")

// lacksKeys reports whether err says that a credential could not be checked, by its issuer's key set or otherwise.
func lacksKeys(err error) bool {
	return errors.Is(err, ErrKeysUnavailable) || errors.Is(err, keyset.ErrUnavailable)
}

// CallerRefusal returns the refusal of a caller whose credentials did not pass a check, which ended with err.
func CallerRefusal(err error) *rpcerr.Error {
	switch {
	case lacksKeys(err):
		return rpcerr.Refuse(rpcerr.KeysUnavailable, err)
	case errors.Is(err, turnstile.ErrOverloaded):
		return rpcerr.Refuse(rpcerr.AuthOverloaded, err)
	case errors.Is(err, wire.ErrExpired):
		return rpcerr.Refuse(rpcerr.CredentialsExpired, err)
	case errors.Is(err, wire.ErrNotYetValid):
		return rpcerr.Refuse(rpcerr.CredentialsNotYetValid, err)
	default:
		return rpcerr.Refuse(rpcerr.CredentialsInvalid, err)
	}
}

// ServerRefusal returns the refusal of a server whose proof did not pass a check, which ended with err.
func ServerRefusal(err error) *rpcerr.Error {
	switch {
	case lacksKeys(err):
		return rpcerr.Refuse(rpcerr.KeysUnavailable, err)
	case errors.Is(err, wire.ErrFrame):
		return rpcerr.Refuse(rpcerr.ServerProofMissing, err)
	default:
		return rpcerr.Refuse(rpcerr.ServerProofInvalid, err)
	}
}
