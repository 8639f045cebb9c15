package auth

import (
	"context"

	"github.com/parley-rpc/parley/rpcerr"
)

// WithStepUp tells callers whom only scopes or claims of a token keep out that it is so: they are refused with
// INSUFFICIENT_SCOPE in the place of POLICY_DENIED, so that they can ask for another token. Which ones are missing is still
// not said. Without this option nobody learns how close a refused call came.
func WithStepUp() ServerOption {
	return serverOption{"auth.WithStepUp()", func(c *serverConfig) { c.stepUp = true }}
}

// authorize decides on a call. Its error is a refusal. Undecided is why there is no policy to decide by.
func (g *Gate) authorize(ctx context.Context, d *decision, undecided error, call Call) error {
	if undecided != nil {
		// Nobody decided who may call, so nobody may. Who is unknown must not learn which methods there are.
		if call.Peer == nil && call.User == nil {
			return refuse(rpcerr.CredentialsMissing, undecided)
		}
		return refuse(rpcerr.PolicyDenied, undecided)
	}
	if r := d.force.rule(ctx, &call, nil); !r.allows() {
		return g.refusal(r)
	}
	if d.trial != nil {
		if r := d.trial.rule(ctx, &call, nil); !r.allows() {
			g.auditTrial(ctx, call, g.refusal(r))
		}
	}
	return nil
}

// refusal is what a caller learns of a ruling.
func (g *Gate) refusal(r ruling) *rpcerr.Error {
	if r.stepUp && g.config.stepUp {
		return refuse(rpcerr.InsufficientScope, r)
	}
	return refuse(r.reason, r)
}
