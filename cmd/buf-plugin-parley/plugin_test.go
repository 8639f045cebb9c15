package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"buf.build/go/bufplugin/check"
	"buf.build/go/bufplugin/check/checktest"
)

func TestSpec(t *testing.T) { checktest.SpecTest(t, spec()) }

const head = `syntax = "proto3";
package shop.v1;
import "parley/policy/v1/policy.proto";
message M {}
`

// service is a .proto of one service. Its options and those of its one method stand on lines of their own.
func service(ofService, ofMethod string) string {
	return head + "service S {\n" + ofService + "\nrpc Get(M) returns (M) {\n" + ofMethod + "\n}\n}\n"
}

const (
	repeatable = "option idempotency_level = IDEMPOTENT;"
	unknown    = "option idempotency_level = IDEMPOTENCY_UNKNOWN;"
)

func method(policy string) string { return "option (parley.policy.v1.method) = {" + policy + "};" }

func whole(policy string) string { return "option (parley.policy.v1.service) = {" + policy + "};" }

const decided = `auth: {peers: ["orders"]}`

func TestLint(t *testing.T) {
	for name, test := range map[string]struct {
		proto string
		want  []string
	}{
		"a complete policy":           {service("", repeatable+method(decided)), nil},
		"a policy of the service":     {service(whole(decided), unknown), nil},
		"idempotency is not stated":   {service(whole(decided), ""), []string{"PARLEY_IDEMPOTENCY_STATED: 7"}},
		"who may call is not decided": {service("", unknown), []string{"PARLEY_AUTH_DECIDED: 7"}},
		"attempts do not fit": {
			service(whole(decided), repeatable+method(
				`deadline: {max: {seconds: 1}} retry: {max_attempts: 3 per_attempt_timeout: {seconds: 1}}`,
			)),
			[]string{"PARLEY_ATTEMPTS_FIT: 7"},
		},
		"a deadline of the service": {
			service(
				whole(decided+` deadline: {max: {seconds: 1}}`),
				repeatable+method(`retry: {per_attempt_timeout: {seconds: 2}}`),
			),
			[]string{"PARLEY_ATTEMPTS_FIT: 7"},
		},
		"hedges of what cannot be repeated": {
			service(whole(decided), unknown+method(`hedge: {max_hedges: 1}`)),
			[]string{"PARLEY_HEDGING_ALLOWED: 7"},
		},
		"a peer with a star inside": {
			service("", unknown+method(`auth: {peers: ["spiffe://shop.example/*/x"]}`)),
			[]string{"PARLEY_PEERS_WELL_FORMED: 7"},
		},
		"a wrong peer of the service": {
			service(whole(`auth: {peers: ["a b"]}`), unknown),
			[]string{"PARLEY_PEERS_WELL_FORMED: 7"},
		},
		"a rule without a name": {
			service("", unknown+method(`auth: {allow: {peers: ["orders"]}}`)),
			[]string{"PARLEY_RULES_NAMED: 7"},
		},
		"a rule that lets strangers pass": {
			service("", unknown+method(
				`auth: {peers: ["orders"] deny: {name: "dev" claims: {path: "env" any: {string_value: "dev"}}}}`,
			)),
			[]string{"PARLEY_POLICY_SURPRISES: 7"},
		},
		"a rule of peers that are none": {
			service("", unknown+method(`auth: {deny: {name: "x" peers: ["*"]}}`+" ")),
			[]string{"PARLEY_AUTH_DECIDED: 7", "PARLEY_PEERS_WELL_FORMED: 7"},
		},
		"a rule of nothing": {
			service("", unknown+method(decided[:len(decided)-1]+` deny: {name: "x"}}`)),
			[]string{"PARLEY_POLICY_VALID: 7"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := annotations(t, test.proto, "", check.RuleTypeLint)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestBreaking(t *testing.T) {
	of := func(policy string) string { return service("", repeatable+method(policy)) }
	timed := decided + ` deadline: {max: {seconds: 2}} retry: {max_attempts: 3}`
	for name, test := range map[string]struct {
		before, after string
		want          []string
	}{
		"nothing changes": {of(timed), of(timed), nil},
		"fewer peers":     {of(`auth: {peers: ["orders", "billing"]}`), of(decided), nil},
		"more peers": {
			of(decided),
			of(`auth: {peers: ["orders", "billing"]}`),
			[]string{"PARLEY_AUTH_KEPT: 7"},
		},
		"no decision any more": {
			of(decided),
			service("", repeatable),
			[]string{"PARLEY_AUTH_KEPT: 7", "PARLEY_AUTH_KEPT: 7"},
		},
		"only tried now": {
			of(decided),
			of(`auth: {peers: ["orders"] dry_run: true}`),
			[]string{"PARLEY_AUTH_KEPT: 7", "PARLEY_AUTH_KEPT: 7"},
		},
		"no longer repeatable": {
			of(decided),
			service("", unknown+method(decided)),
			[]string{"PARLEY_IDEMPOTENCY_KEPT: 7"},
		},
		"repeatable now": {service("", unknown+method(decided)), of(decided), nil},
		"a shorter deadline": {
			of(timed),
			of(decided + ` deadline: {max: {seconds: 1}} retry: {max_attempts: 3}`),
			[]string{"PARLEY_DEADLINE_KEPT: 7"},
		},
		"a first deadline": {
			of(decided),
			of(decided + ` deadline: {max: {seconds: 1}}`),
			[]string{"PARLEY_DEADLINE_KEPT: 7"},
		},
		"a longer deadline": {
			of(timed),
			of(decided + ` deadline: {max: {seconds: 3}} retry: {max_attempts: 3}`),
			nil,
		},
		"fewer attempts": {
			of(timed),
			of(decided + ` deadline: {max: {seconds: 2}} retry: {max_attempts: 2}`),
			[]string{"PARLEY_ATTEMPTS_KEPT: 7"},
		},
		"the word of a method": {
			of(timed),
			strings.Replace(
				of(decided+` deadline: {max: {seconds: 1}} retry: {max_attempts: 1}`),
				"rpc", "// Get is quick. parley:shortened\nrpc", 1,
			),
			nil,
		},
		"the word opens nothing": {
			of(decided),
			strings.Replace(of(`auth: {access: ACCESS_ANONYMOUS}`), "rpc", "// parley:shortened\nrpc", 1),
			[]string{"PARLEY_AUTH_KEPT: 8", "PARLEY_AUTH_KEPT: 8"},
		},
		"a new method": {head, of(decided), nil},
		"a policy with a mistake": {
			of(decided),
			of(decided + ` deadline: {max: {seconds: 1}} retry: {max_attempts: 3 per_attempt_timeout: {seconds: 1}}`),
			[]string{"PARLEY_AUTH_KEPT: 7"},
		},
		"a mistake of the service": {
			of(decided),
			service(whole(`auth: {peers: ["orders"] deny: {name: "x"}}`), repeatable),
			[]string{"PARLEY_AUTH_KEPT: 5"},
		},
		"a former policy with a mistake": {
			of(decided + ` hedge: {max_hedges: 99}`),
			of(`auth: {access: ACCESS_ANONYMOUS}`),
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := annotations(t, test.after, test.before, check.RuleTypeBreaking)
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// annotations are what the rules of a kind find, as "RULE: line".
func annotations(t *testing.T, now, before string, kind check.RuleType) []string {
	t.Helper()
	request := &checktest.RequestSpec{Files: written(t, now)}
	if before != "" {
		request.AgainstFiles = written(t, before)
	}
	for _, rule := range spec().Rules {
		if rule.Type == kind {
			request.RuleIDs = append(request.RuleIDs, rule.ID)
		}
	}
	made, err := request.ToRequest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := check.NewClientForSpec(spec())
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Check(t.Context(), made)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, a := range response.Annotations() {
		if a.Message() == "" || strings.Contains(a.Message(), "\n") {
			t.Errorf("the message is %q", a.Message())
		}
		found = append(found, fmt.Sprintf("%s: %d", a.RuleID(), a.FileLocation().StartLine()+1))
	}
	slices.Sort(found)
	return found
}

func written(t *testing.T, proto string) *checktest.ProtoFileSpec {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop.proto"), []byte(proto), 0o600); err != nil {
		t.Fatal(err)
	}
	return &checktest.ProtoFileSpec{
		DirPaths:  []string{dir, filepath.Join("..", "..", "proto")},
		FilePaths: []string{"shop.proto"},
	}
}
