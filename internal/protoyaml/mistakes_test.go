package protoyaml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/descriptorpb"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
)

func TestMistakes(t *testing.T) {
	const keys = "identity, clients, servers, discovery, surfaces, lifecycle, policies, users, policies_from, compat"
	for _, test := range []struct{ name, text, want string }{
		{"unknown key, near one", "identity:\n  trust_dri: /x", `f:2:3: identity: unknown key "trust_dri"; did you mean "trust_dir"?`},
		{"unknown key in JSON's spelling", "identity:\n  trustDir: /x", `f:2:3: identity: unknown key "trustDir"; did you mean "trust_dir"?`},
		{"unknown key, none near", "nothing_like_it: 1", `f:1:1: unknown key "nothing_like_it"; the keys here are ` + keys},
		{"unknown key in a map's entry", "clients: {payments: {pears: []}}", `f:1:22: clients.payments: unknown key "pears"; did you mean "peers"?`},
		{"repeated key", "identity: {}\nsurfaces: {}\nidentity: {}", `f:3:1: the key "identity" is stated before, at line 1; keep one of them`},
		{"repeated map key", "clients:\n  a: {}\n  \"a\": {}", `f:3:3: clients: the key "a" is stated before, at line 2; keep one of them`},
		{"key without a value", "identity:", `f:1:10: identity: want keys and values, got nothing; give it a value, or take the key out`},
		{"list without a value", "clients: {payments: {peers: }}", `f:1:29: clients.payments.peers: want a list, got nothing; give it a value, or take the key out`},
		{"scalar without a value", "identity: {trust_dir: ~}", `f:1:23: identity.trust_dir: want a string, got nothing; give it a value, or take the key out`},
		{"null document", "null", `f:1:1: want keys and values, got nothing; give it a value, or take the key out`},
		{"scalar for a list", "clients: {payments: {peers: payments}}", `f:1:29: clients.payments.peers: want a list, got a string`},
		{"scalar for a section", "identity: orders", `f:1:11: identity: want keys and values, got a string`},
		{"list for the document", "- identity", `f:1:1: want keys and values, got a list`},
		{"list for a string", "identity: {trust_dir: [a]}", `f:1:23: identity.trust_dir: want a string, got a list`},
		{"section for a string", "identity: {trust_dir: {a: b}}", `f:1:23: identity.trust_dir: want a string, got keys and values`},
		{"section in a list of strings", "clients: {payments: {peers: [{a: b}]}}", `f:1:30: clients.payments.peers[0]: want a string, got keys and values`},
		{"number for a string", "identity: {trust_domain: 8080}", `f:1:26: identity.trust_domain: want a string, got a number; put it in quotes`},
		{"boolean for a string", "identity: {trust_domain: true}", `f:1:26: identity.trust_domain: want a string, got a boolean; put it in quotes`},
		{"date for a string", "identity: {trust_domain: 2020-01-01}", `f:1:26: identity.trust_domain: want a string, got a date; put it in quotes`},
		{"yes for a boolean", "servers: {a: {reflection: yes}}", `f:1:27: servers.a.reflection: want true or false, got a string`},
		{"True for a boolean", "servers: {a: {reflection: True}}", `f:1:27: servers.a.reflection: want true or false, got "True"`},
		{"quoted boolean", "servers: {a: {reflection: 'true'}}", `f:1:27: servers.a.reflection: want true or false, got a string; write it without quotes`},
		{"fraction for a whole number", "servers: {a: {max_request_bytes: 4.0}}", `f:1:34: servers.a.max_request_bytes: want a whole number, got "4.0"`},
		{"octal number", "servers: {a: {max_request_bytes: 010}}", `f:1:34: servers.a.max_request_bytes: want a whole number, got "010"`},
		{"hexadecimal number", "servers: {a: {max_request_bytes: 0x10}}", `f:1:34: servers.a.max_request_bytes: want a whole number, got "0x10"`},
		{"number with underscores", "servers: {a: {max_request_bytes: 1_000}}", `f:1:34: servers.a.max_request_bytes: want a whole number, got "1_000"`},
		{"negative number", "servers: {a: {max_request_bytes: -1}}", `f:1:34: servers.a.max_request_bytes: "-1" is out of range; it must be 0 to 4294967295`},
		{"number too large", "servers: {a: {max_request_bytes: 4294967296}}", `f:1:34: servers.a.max_request_bytes: "4294967296" is out of range; it must be 0 to 4294967295`},
		{"number beyond 64 bits", "servers: {a: {max_request_bytes: 99999999999999999999}}", `f:1:34: servers.a.max_request_bytes: "99999999999999999999" is out of range; it must be 0 to 4294967295`},
		{"infinity", "clients: {a: {retry_budget: {ratio: .inf}}}", `f:1:37: clients.a.retry_budget.ratio: want a number, got ".inf"`},
		{"no number", "clients: {a: {retry_budget: {ratio: .nan}}}", `f:1:37: clients.a.retry_budget.ratio: want a number, got ".nan"`},
		{"float too large for YAML", "clients: {a: {retry_budget: {ratio: 1e999}}}", `f:1:37: clients.a.retry_budget.ratio: want a number, got a string`},
		{"duration without a unit", "lifecycle: {grace: 20}", `f:1:20: lifecycle.grace: want a duration like 250ms, got a number`},
		{"bad duration", "lifecycle: {grace: 20 seconds}", `f:1:20: lifecycle.grace: want a duration like 250ms, got "20 seconds"`},
		{"duration as the proto has it", "lifecycle: {grace: {seconds: 20}}", `f:1:20: lifecycle.grace: want a duration like 250ms, got keys and values`},
		{"unknown enum value, near one", "identity: {enroll: sefl}", `f:1:20: identity.enroll: want one of never, self, got "sefl"; did you mean "self"?`},
		{"enum value in upper case", "identity: {enroll: SELF}", `f:1:20: identity.enroll: want one of never, self, got "SELF"; did you mean "self"?`},
		{"enum value by number", "identity: {enroll: 2}", `f:1:20: identity.enroll: want one of never, self, got a number`},
		{"key that is no string", "clients: {8080: {}}", `f:1:11: clients: want a name as key, got a number; put it in quotes`},
		{"empty key", "clients: {'': {}}", `f:1:11: clients: want a name as key, got an empty string`},
		{"mapping as key", "clients: {{a: b}: {}}", `f:1:11: clients: want a name as key, got keys and values`},
		{"key that needs quotes in the path", "policies: {/a.B/C: {deadline: 1}}", `f:1:31: policies["/a.B/C"].deadline: want keys and values, got a number`},
		{"anchor", "identity: &a {trust_dir: x}", `f:1:11: identity: anchors are not supported; write the value out where it is needed`},
		{"anchor of nothing", "&a\n", `f:1:1: anchors are not supported; write the value out where it is needed`},
		{"anchored key", "&a identity: {}", `f:1:1: anchors are not supported; write the value out where it is needed`},
		{"alias", "identity: &a {}\nsurfaces: *a", "f:1:11: identity: anchors are not supported; write the value out where it is needed\n" +
			"f:2:11: surfaces: aliases are not supported; write the value out"},
		{"merge key", "identity: {<<: {trust_dir: x}}", `f:1:12: identity: merge keys are not supported; write the keys out`},
		{"tag", "identity: {trust_dir: !!str 5}", `f:1:23: identity.trust_dir: tags are not supported; take "!!str" out`},
		{"two documents", "identity: {}\n---\nsurfaces: {}", `f:2:1: a second document begins; write one document and no further "---"`},
		{"no YAML", "identity: {", `f:1: this is no YAML, here or on the next line: did not find expected node content`},
		{"no YAML further down", "identity: {}\nclients: [a\nservers: {}", `f:1: this is no YAML, here or on the next line: did not find expected ',' or ']'`},
		{"no YAML behind the document", "identity: {}\n---\n{", `f:3: this is no YAML, here or on the next line: did not find expected node content`},
		{"no text", "identity: \xff", `f: the file is not UTF-8; save it as UTF-8`},
		{"too large", strings.Repeat("#", 1<<20+1), `f: the file has 1048577 bytes; it must not have more than 1048576`},
		{"long value", "identity: {enroll: " + strings.Repeat("x", 100) + "}", `f:1:20: identity.enroll: want one of never, self, got "` + strings.Repeat("x", 60) + `"...`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := protoyaml.Unmarshal("f", []byte(test.text), new(configv1.Config))
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if _, ok := errors.AsType[*protoyaml.Mistake](err); !ok {
				t.Errorf("got %T, want Mistakes", err)
			}
		})
	}
}

func TestMistakesAreReportedTogether(t *testing.T) {
	_, err := protoyaml.Unmarshal("orders.yaml", []byte(`
identity:
  trust_dri: /etc/parley
  max_connection_age: 10
clients:
  payments:
    peers: payments
servers: []
`), new(configv1.Config))
	want := `orders.yaml:3:3: identity: unknown key "trust_dri"; did you mean "trust_dir"?
orders.yaml:4:23: identity.max_connection_age: want a duration like 250ms, got a number
orders.yaml:7:12: clients.payments.peers: want a list, got a string
orders.yaml:8:10: servers: want keys and values, got a list`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestMistakesAreBounded(t *testing.T) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "unknown%d: 1\n", i)
	}
	_, err := protoyaml.Unmarshal("f", []byte(text.String()), new(configv1.Config))
	lines := strings.Split(fmt.Sprint(err), "\n")
	if got, want := lines[len(lines)-1], "f:101:1: there are more mistakes from here on; mend these first"; len(lines) != 101 || got != want {
		t.Errorf("got %d mistakes, the last one %q; want 101 and %q", len(lines), got, want)
	}
}

func TestNestingIsBounded(t *testing.T) {
	nested := func(depth int) string {
		return strings.Repeat("nested_type: [{", depth) + "name: x" + strings.Repeat("}]", depth)
	}
	if _, err := protoyaml.Unmarshal("f", []byte(nested(16)), new(descriptorpb.DescriptorProto)); err != nil {
		t.Error(err)
	}
	_, err := protoyaml.Unmarshal("f", []byte(nested(20)), new(descriptorpb.DescriptorProto))
	if err == nil || !strings.HasSuffix(err.Error(), ": this nests more than 32 deep") {
		t.Errorf("got %v, want a refusal", err)
	}
	for _, text := range []string{strings.Repeat("[", 100_000), strings.Repeat("{a: ", 100_000), strings.Repeat("- ", 100_000)} {
		if _, err := protoyaml.Unmarshal("f", []byte(text), new(configv1.Config)); err == nil {
			t.Errorf("%s... was taken", text[:10])
		}
	}
}

func TestLaughsAreRefused(t *testing.T) {
	var text strings.Builder
	text.WriteString("a0: &a0 [x]\n")
	for i := range 100 {
		fmt.Fprintf(&text, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 9), ","))
	}
	text.WriteString("identity: *a100\n")
	if _, err := protoyaml.Unmarshal("f", []byte(text.String()), new(configv1.Config)); err == nil {
		t.Error("a billion laughs were taken")
	}
}
