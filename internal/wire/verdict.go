package wire

import (
	"fmt"

	"github.com/parley-rpc/parley/rpcerr"
)

// Verdict is the server's last word in a handshake.
type Verdict byte

// The verdicts. The client learns no more than one of them says.
const (
	VerdictWelcome         Verdict = 0
	verdictInvalid         Verdict = 1
	verdictExpired         Verdict = 2
	verdictNotYetValid     Verdict = 3
	verdictKeysUnavailable Verdict = 4
	verdictOverloaded      Verdict = 5
)

// reasons holds what each verdict but a welcome means to the client.
func reasons() [verdictOverloaded + 1]rpcerr.Reason {
	return [...]rpcerr.Reason{
		verdictInvalid:         rpcerr.CredentialsInvalid,
		verdictExpired:         rpcerr.CredentialsExpired,
		verdictNotYetValid:     rpcerr.CredentialsNotYetValid,
		verdictKeysUnavailable: rpcerr.KeysUnavailable,
		verdictOverloaded:      rpcerr.AuthOverloaded,
	}
}

// VerdictFor returns the verdict that tells a client why it was refused.
func VerdictFor(reason rpcerr.Reason) Verdict {
	for verdict, means := range reasons() {
		if means == reason && means != "" {
			return Verdict(verdict)
		}
	}
	return verdictInvalid
}

// Refusal returns what the verdict means to the client, or nil for a welcome. An unknown verdict means the proof was
// bad.
func (v Verdict) Refusal() *rpcerr.Error {
	if v == VerdictWelcome {
		return nil
	}
	reason := rpcerr.CredentialsInvalid
	if v <= verdictOverloaded {
		reason = reasons()[v]
	}
	return rpcerr.Refuse(reason, fmt.Errorf("the server's verdict is %d", byte(v)))
}
