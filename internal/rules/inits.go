package rules

import "go/ast"

// initsAllowed lists the files that may have a func init, each with its reason.
func initsAllowed() map[string]string {
	return map[string]string{
		"discovery/grpcbalancer/balancer.go": "gRPC finds balancing policies in a global registry that must be filled " +
			"before the first channel",
		"discovery/grpcbalancer/counting_test.go": "the tests need a policy that counts",
	}
}

func checkInits(t *Tree) []Finding {
	var findings []Finding
	for _, f := range t.files {
		if initsAllowed()[f.path] != "" {
			continue
		}
		for _, decl := range f.syntax.Decls {
			if fun, ok := decl.(*ast.FuncDecl); ok && fun.Recv == nil && fun.Name.Name == "init" {
				findings = append(findings, Finding{
					Pos: t.at(fun), What: "func init runs in every program that imports the package, unasked",
					Remedy: "do it in a constructor; the registration of a balancer goes into initsAllowed, " +
						"internal/rules/inits.go, with its reason",
				})
			}
		}
	}
	return findings
}
