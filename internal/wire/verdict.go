package wire

import (
	"fmt"

	"github.com/parley-rpc/parley/rpcerr"
)

// Verdict is the server's last word in a handshake.
type Verdict byte

const (
	VerdictWelcome         Verdict = 0
	verdictInvalid         Verdict = 1
	verdictExpired         Verdict = 2
	verdictNotYetValid     Verdict = 3
	verdictKeysUnavailable Verdict = 4
	verdictOverloaded      Verdict = 5
)

// VerdictFor returns the verdict that tells a client why it was refused.
func VerdictFor(reason rpcerr.Reason) Verdict {
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

// Refusal returns what the verdict means to the client, or nil for a welcome. An unknown verdict means the proof was
// bad.
func (v Verdict) Refusal() *rpcerr.Error {
	cause := fmt.Errorf("the server's verdict is %d", byte(v))
	switch v {
	case VerdictWelcome:
		return nil
	case verdictExpired:
		return rpcerr.Refuse(rpcerr.CredentialsExpired, cause)
	case verdictNotYetValid:
		return rpcerr.Refuse(rpcerr.CredentialsNotYetValid, cause)
	case verdictKeysUnavailable:
		return rpcerr.Refuse(rpcerr.KeysUnavailable, cause)
	case verdictOverloaded:
		return rpcerr.Refuse(rpcerr.AuthOverloaded, cause)
	default:
		return rpcerr.Refuse(rpcerr.CredentialsInvalid, cause)
	}
}
