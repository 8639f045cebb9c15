package auth

import (
	"fmt"

	"github.com/parley-rpc/parley/rpcerr"
)

// verdict is the server's last word in a handshake.
type verdict byte

const (
	verdictWelcome         verdict = 0
	verdictInvalid         verdict = 1
	verdictExpired         verdict = 2
	verdictNotYetValid     verdict = 3
	verdictKeysUnavailable verdict = 4
	verdictOverloaded      verdict = 5
)

// verdictFor returns the verdict that tells a client why it was refused.
func verdictFor(reason rpcerr.Reason) verdict {
	switch reason {
	case rpcerr.CredentialsExpired:
		return verdictExpired
	case rpcerr.CredentialsNotYetValid:
		return verdictNotYetValid
	case rpcerr.KeysUnavailable:
		return verdictKeysUnavailable
	case rpcerr.AuthOverloaded:
		return verdictOverloaded
	default:
		return verdictInvalid
	}
}

// refusal returns what the verdict means to the client, or nil for a welcome. An unknown verdict means the proof was bad.
func (v verdict) refusal() *rpcerr.Error {
	cause := fmt.Errorf("the server's verdict is %d", byte(v))
	switch v {
	case verdictWelcome:
		return nil
	case verdictExpired:
		return refuse(rpcerr.CredentialsExpired, cause)
	case verdictNotYetValid:
		return refuse(rpcerr.CredentialsNotYetValid, cause)
	case verdictKeysUnavailable:
		return refuse(rpcerr.KeysUnavailable, cause)
	case verdictOverloaded:
		return refuse(rpcerr.AuthOverloaded, cause)
	default:
		return refuse(rpcerr.CredentialsInvalid, cause)
	}
}
