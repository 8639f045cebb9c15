package rules

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// single is a kind of text that stands in one file alone, because every use of it is a decision that must be made once.
type single struct {
	text   *regexp.Regexp
	home   string
	what   string
	remedy string
}

func singles() []single {
	return []single{
		{
			regexp.MustCompile(`^[a-z0-9-]+\+jwt$`), "internal/jose/types.go", "names a token type",
			"use the constant of internal/jose; there is one list of token types",
		},
		{
			regexp.MustCompile(`^\^?spiffe://($|[\[(\\])`), "principal/trustdomain.go", "takes an ID apart or puts one together",
			"use package principal, which alone knows the form of an ID",
		},
		{
			regexp.MustCompile(`%\.\d+[qs]|%q\.\.\.`), "internal/quote/quote.go", "cuts a text of others",
			"use internal/quote, which cuts between characters and says that it did",
		},
	}
}

// checkSingle looks at code that is no test and no example. Authtest forges tokens, and must not share the list.
func checkSingle(t *Tree) []Finding {
	kinds := singles()
	var findings []Finding
	for _, f := range t.files {
		if f.test || f.module != "." || under(f.dir, "examples") || under(f.dir, "interceptors/auth/authtest") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				return true
			}
			for _, s := range kinds {
				if s.text.MatchString(text) && f.path != s.home {
					findings = append(findings, Finding{
						Pos: t.at(
							literal,
						), What: fmt.Sprintf("%q %s outside of %s", strings.TrimSpace(text), s.what, s.home), Remedy: s.remedy,
					})
				}
			}
			return true
		})
	}
	return findings
}
