package main

import (
	"fmt"
	"slices"
	"strings"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// claimOperators is a table of the operators of conditions on claims.
func claimOperators(said comments) string {
	var table strings.Builder
	table.WriteString("| operator | holds when |\n|---|---|\n")
	fields := new(policyv1.Claim).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); !slices.Contains([]string{"path", "split"}, string(f.Name())) {
			fmt.Fprintf(&table, "| `%s` | %s |\n", f.Name(), said[f.FullName()])
		}
	}
	return table.String()
}
