package istio_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// explain writes the steps of a decision about GetOrder.
func explain(layers []policy.Layer, caller string) string {
	table, err := policy.New(layers...)
	if err != nil {
		return err.Error()
	}
	m, err := table.Method(getOrder)
	if err != nil {
		return err.Error()
	}
	id, err := principal.ParseID(caller)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for _, guard := range m.Auth.Guards {
		compiled, err := guard.Compile(getOrder, id.TrustDomain())
		if err != nil {
			return err.Error()
		}
		_, steps := compiled.Explain(context.Background(), policy.Call{Method: getOrder, Peer: &principal.Peer{ID: id}})
		for _, s := range steps {
			lines = append(lines, fmt.Sprintf("%s %s: %s (%s)", s.Asked, s.Rule, s.Outcome, s.Source))
		}
	}
	return strings.Join(lines, "\n")
}
