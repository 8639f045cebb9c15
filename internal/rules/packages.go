package rules

import (
	"fmt"
	"slices"
	"strings"
)

// packageBan refuses the import of a package outside some places.
type packageBan struct {
	// path is an import path; with /... at its end it stands for all packages below, too.
	path   string
	except func(*file) bool
	remedy string
}

func packageBans() []packageBan {
	return []packageBan{
		{
			"github.com/lestrrat-go/jwx/v2/jwt/...", inFolder("bench"), // which measures it
			"use internal/jose, whose parser is stricter",
		},
		{
			"github.com/lestrrat-go/...", inFolder("internal/jose", "bench"),
			"use internal/jose, so that another JOSE library is a change of one package",
		},
		{
			"testing", func(f *file) bool { return f.test || strings.HasSuffix(f.dir, "test") },
			"put it into a test file or into a package whose name ends in test",
		},
		{
			"log", inProgramOrExample,
			"take a *slog.Logger from the caller",
		},
		{
			"github.com/stretchr/testify/...", nowhere,
			"compare and call t.Errorf",
		},
	}
}

func checkPackages(t *Tree) []Finding {
	bans := packageBans()
	var findings []Finding
	for _, f := range t.files {
		for _, spec := range f.syntax.Imports {
			p := importPath(spec)
			for _, ban := range bans {
				if ban.covers(p) && !ban.except(f) {
					findings = append(
						findings,
						Finding{Pos: t.at(spec), What: fmt.Sprintf("%s imports %s", f.dir, p), Remedy: ban.remedy},
					)
					break
				}
			}
			if spec.Name != nil && spec.Name.Name == "." {
				findings = append(findings, Finding{
					Pos: t.at(spec), What: "a dot import hides where names come from", Remedy: "import the package under its name",
				})
			}
		}
	}
	return findings
}

func (b packageBan) covers(importPath string) bool {
	all, open := strings.CutSuffix(b.path, "/...")
	return importPath == b.path || open && under(importPath, all)
}

func nowhere(*file) bool { return false }

func inFolder(dirs ...string) func(*file) bool {
	return func(f *file) bool {
		return slices.ContainsFunc(dirs, func(dir string) bool { return under(f.dir, dir) })
	}
}

// inProgramOrExample allows programs and test files, where Example functions stand for programs.
func inProgramOrExample(f *file) bool { return f.program() || f.test }
