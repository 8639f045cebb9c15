package framework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/question"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// explain decides on a call as a server of the App would. Tokens are read as the configuration says, and not verified.
func (a *App) explain(ctx context.Context, q admin.Question) (policy.Explanation, error) {
	method := "/" + strings.TrimPrefix(q.Method, "/")
	gate, err := a.gateOf(method)
	if err != nil {
		return policy.Explanation{}, err
	}
	p := &a.parts
	known, err := question.Configured(p.config, p.file.states, p.domain)
	if err != nil {
		return policy.Explanation{}, err
	}
	asked := question.Call{Method: method, As: q.Caller, AsName: "the caller"}
	if q.CallerToken != "" {
		asked.Token = &question.Document{Name: "the caller's token", Text: []byte(q.CallerToken)}
	}
	if q.UserToken != "" {
		asked.User = &question.Document{Name: "the user's token", Text: []byte(q.UserToken)}
	}
	call, err := known.Read(asked, p.domain)
	if refused, ok := errors.AsType[question.RefusedError](err); ok {
		return policy.Explanation{
			Method: method, Reason: rpcerr.CredentialsInvalid, Why: refused.Error(), Steps: []policy.Step{},
		}, nil
	}
	if err != nil {
		return policy.Explanation{}, err
	}
	return gate.Explain(ctx, call), nil
}

// gateOf returns the gate of the server that has a method.
func (a *App) gateOf(method string) (*auth.Gate, error) {
	a.mu.Lock()
	servers := a.servers
	a.mu.Unlock()
	for _, s := range servers {
		if !slices.Contains(s.methods(), method) {
			continue
		}
		gate, err := s.makeGate()
		if err == nil && gate == nil {
			err = errors.New("the program has no identity (WithInsecureDev), so that every caller may call everything")
		}
		return gate, err
	}
	return nil, fmt.Errorf("this program does not serve %s; name a method that it serves", method)
}
