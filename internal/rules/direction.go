package rules

import (
	"fmt"
	"strings"
)

// rows returns the order of imports, lowest first. Each row lists groups, which are folders; a folder belongs to the
// longest group that holds it. A package may import the packages of lower rows and those of its own group, and its
// tests those of its whole row. A package without a row is a finding.
func rows() [][]string {
	return [][]string{
		{"attempt", "plannedend", "rpcerr", "gen"},
		{"internal"},
		{"principal"},
		{"internal/jose"},
		{"profile"},
		{"internal/issuerconfig", "internal/trustdir", "internal/wire"},
		{"keyset"},
		{"internal/verify"},
		{"policy"},
		{"internal/decide", "internal/question", "internal/export"},
		{
			"interceptors/auth", "interceptors/retry", "interceptors/tracing", "interceptors/admission",
			"discovery", "issuer", "waterfall",
		},
		{"telemetry", "admin"},
		{"framework", "policy/istio"},
		{"frameworktest"},
		{"examples", "cmd", "docs", "bench", "test", "."},
	}
}

// testsUpward lists the imports of a higher row that tests may have.
func testsUpward() map[string]string {
	return map[string]string{
		"framework":    "frameworktest", // the kit is made to test what framework makes
		"policy/istio": "frameworktest", // as it is for what a program plugs into framework
	}
}

// neverTogether lists imports that the rows allow and the house does not.
func neverTogether() map[string]string {
	return map[string]string{
		"framework": "issuer", // a service must not carry the login system
	}
}

func checkDirection(t *Tree) []Finding {
	var findings []Finding
	for _, f := range t.files {
		if f.module != "." && !homeModule(f.module) {
			continue
		}
		row, group := place(f.dir)
		if row < 0 {
			findings = append(findings, Finding{
				Pos: t.at(f.syntax.Name), What: fmt.Sprintf("package %q has no place in the order of imports", f.dir),
				Remedy: "give it a row in func rows, internal/rules/direction.go",
			})
			continue
		}
		for _, spec := range f.syntax.Imports {
			imported, ours := strings.CutPrefix(importPath(spec)+"/", Module+"/")
			if !ours {
				continue
			}
			imported = strings.Trim(imported, "/")
			if why := refuse(f, row, group, imported); why != "" {
				findings = append(findings, Finding{
					Pos: t.at(spec), What: why,
					Remedy: "move what both need into a lower package, or pass it in from framework (internal/rules/direction.go " +
						"has the order)",
				})
			}
		}
	}
	return findings
}

// homeModule reports whether a nested module holds a package of the rows, such as a discovery driver.
func homeModule(module string) bool {
	row, _ := place(module)
	return row >= 0
}

// place returns the row and the group of a folder, and a negative row when it has none.
func place(dir string) (row int, group string) {
	row = -1
	for i, groups := range rows() {
		for _, g := range groups {
			if under(dir, g) && len(g) > len(group) {
				row, group = i, g
			}
		}
	}
	return row, group
}

// refuse says why a file may not import a package, or "".
func refuse(f *file, row int, group, imported string) string {
	importedRow, importedGroup := place(imported)
	switch {
	case importedRow < 0 || group == importedGroup || f.test && testsUpward()[group] == importedGroup:
		return ""
	case importedRow > row:
		return fmt.Sprintf("%s imports %s, which stands above it", f.dir, imported)
	case importedRow == row && !f.test:
		return fmt.Sprintf("%s imports %s, which stands beside it", f.dir, imported)
	case neverTogether()[group] == importedGroup && !f.test:
		return fmt.Sprintf("%s imports %s, which it must never link", f.dir, imported)
	}
	return ""
}
