package principal_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/principal"
)

// What is an ID stays what it was, and consists of nothing that anybody could read in two ways.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{
		"", "spiffe://", "spiffe:///", "spiffe://shop", "spiffe://shop/", "spiffe://shop/orders",
		"spiffe://shop.example/ns/pay",
		"spiffe://shop/..", "spiffe://shop/a/./b", "spiffe://shop/%2e", "spiffe://shop//a",
		"spiffe://SHOP/a", "spiffe://../a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		id, err := principal.ParseID(input)
		if err != nil {
			if !id.IsZero() {
				t.Errorf("%q: an error and an ID", input)
			}
			return
		}
		if id.String() != input || "spiffe://"+id.TrustDomain().String()+"/"+id.Service() != input {
			t.Errorf("%q is taken apart as %q and %q", input, id.TrustDomain(), id.Service())
		}
		if domain := id.TrustDomain().String(); domain != strings.ToLower(domain) {
			t.Errorf("%q: trust domain %q", input, domain)
		}
		for segment := range strings.SplitSeq(id.Service(), "/") {
			if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "%*?#:@\\ \x00\n") {
				t.Errorf("%q: segment %q", input, segment)
			}
		}
		if p, err := principal.ParsePattern(input); err != nil || p != principal.Pattern(id) {
			t.Errorf("%q is no pattern: %v, %v", input, p, err)
		}
	})
}

// A pattern never reaches beyond its own trust domain and its own segments.
func FuzzParsePattern(f *testing.F) {
	for _, pattern := range []string{
		"*", "spiffe://*/a", "spiffe://shop/*", "spiffe://shop/a/*", "spiffe://shop/a*",
		"spiffe://shop/*/a", "spiffe://shop/**", "spiffe://shop/a",
	} {
		for _, id := range []string{"spiffe://shop/a", "spiffe://shop/a/b", "spiffe://shop/ab", "spiffe://shop2/a"} {
			f.Add(pattern, id)
		}
	}
	f.Fuzz(func(t *testing.T, input, other string) {
		p, err := principal.ParsePattern(input)
		if err != nil {
			return
		}
		if p.String() != input {
			t.Errorf("%q is written as %q", input, p)
		}
		id, err := principal.ParseID(other)
		if err != nil || !p.Matches(id) {
			return
		}
		if input == other {
			return
		}
		above, isTree := strings.CutSuffix(input, "*")
		if !isTree || !strings.HasSuffix(above, "/") || !strings.HasPrefix(other, above) ||
			!strings.HasPrefix(above, "spiffe://"+id.TrustDomain().String()+"/") {
			t.Errorf("%q matches %q", input, other)
		}
	})
}
