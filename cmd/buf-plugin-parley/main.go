// Buf-plugin-parley checks what the options of a .proto say about its methods: whether the policy is complete and holds
// together (buf lint), and whether a change takes something from callers or lets more of them in (buf breaking).
//
// It is a plugin of buf, which starts it. In buf.yaml:
//
//	plugins:
//	  - plugin: buf-plugin-parley
//	lint:
//	  use: [STANDARD, PARLEY]
//	breaking:
//	  use: [FILE, PARLEY_BREAKING]
package main

import (
	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/info"
)

func main() { check.Main(spec()) }

const (
	categoryLint     = "PARLEY"
	categoryBreaking = "PARLEY_BREAKING"
)

func spec() *check.Spec {
	return &check.Spec{
		Rules: append(lintRules(), breakingRules()...),
		Categories: []*check.CategorySpec{
			{ID: categoryLint, Purpose: "Checks that the policy of each method is complete and holds together."},
			{ID: categoryBreaking, Purpose: "Checks that no policy lets more callers in or takes something from them."},
		},
		Info: &info.Spec{
			Documentation: "Checks the policies that options of parley.policy.v1 state in .proto files.",
			SPDXLicenseID: "Apache-2.0",
			LicenseURL:    "https://www.apache.org/licenses/LICENSE-2.0",
		},
		Before: readPolicies,
	}
}
