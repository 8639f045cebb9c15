package protoyaml_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
)

const full = `# orders in production
identity:
  trust_domain: shop.example
  enroll: self
  accept_domains: [billing.example, "other.example"]
  max_connection_age: 10m30s
clients:
  payments:
    target: dns:///payments:8443
    peers:
      - payments
      - spiffe://shop.example/payments-canary
    retry_budget: {ratio: 0.25, max: 20, min_per_second: 1}
servers:
  orders:
    carriers: [token, CARRIER_CONNECTION]
    reflection: true
    max_request_bytes: 8388608
policies:
  /shop.orders.v1.OrdersService/GetOrder:
    auth: {access: peers, peers: [web]}
    deadline: {max: 250ms}
lifecycle:
  grace: 0s
`

func fullConfig() *configv1.Config {
	return &configv1.Config{
		Identity: &configv1.Identity{
			TrustDomain:      new("shop.example"),
			Enroll:           configv1.Enroll_ENROLL_SELF.Enum(),
			AcceptDomains:    []string{"billing.example", "other.example"},
			MaxConnectionAge: durationpb.New(10*time.Minute + 30*time.Second),
		},
		Clients: map[string]*configv1.Client{"payments": {
			Target:      new("dns:///payments:8443"),
			Peers:       []string{"payments", "spiffe://shop.example/payments-canary"},
			RetryBudget: &configv1.RetryBudget{Ratio: new(0.25), Max: proto.Uint32(20), MinPerSecond: proto.Float64(1)},
		}},
		Servers: map[string]*configv1.Server{"orders": {
			Carriers:        []policyv1.Carrier{policyv1.Carrier_CARRIER_TOKEN, policyv1.Carrier_CARRIER_CONNECTION},
			Reflection:      new(true),
			MaxRequestBytes: proto.Uint32(8388608),
		}},
		Policies: map[string]*policyv1.Policy{"/shop.orders.v1.OrdersService/GetOrder": {
			Auth:     &policyv1.Auth{Access: policyv1.Access_ACCESS_PEERS.Enum(), Peers: []string{"web"}},
			Deadline: &policyv1.Deadline{Max: durationpb.New(250 * time.Millisecond)},
		}},
		Lifecycle: &configv1.Lifecycle{Grace: durationpb.New(0)},
	}
}

func TestUnmarshal(t *testing.T) {
	got := &configv1.Config{Discovery: &configv1.Discovery{Driver: new("what was there before goes")}}
	if _, err := protoyaml.Unmarshal("orders.yaml", []byte(full), got); err != nil {
		t.Fatal(err)
	}
	if want := fullConfig(); !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestNothingIsAnEmptyMessage(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a comment\n", "---\n", "---\n# a comment\n...\n", "{}\n", "\ufeff"} {
		got := fullConfig()
		if _, err := protoyaml.Unmarshal("orders.yaml", []byte(text), got); err != nil || !proto.Equal(got, new(configv1.Config)) {
			t.Errorf("%q: got %v, %v; want an empty message", text, got, err)
		}
	}
}

func TestWhatIsEmptyOnPurpose(t *testing.T) {
	got := new(configv1.Config)
	const text = "identity: {}\nclients: {payments: {peers: []}}\nsurfaces: {admin: ''}"
	places, err := protoyaml.Unmarshal("f", []byte(text), got, "parley.config.v1.Client.peers")
	if err != nil {
		t.Fatal(err)
	}
	want := &configv1.Config{
		Identity: &configv1.Identity{},
		Clients:  map[string]*configv1.Client{"payments": {}},
		Surfaces: &configv1.Surfaces{Admin: new("")},
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := places.Of("clients", "payments", "peers"); got != "f:2" {
		t.Errorf("the empty list stands at %q, want f:2", got)
	}
}

// No list, and one of nobody, are the same in a message. What an operator closes with an empty list would stay open.
func TestEmptyListsAreRefused(t *testing.T) {
	for text, m := range map[string]proto.Message{
		"auth: {peers: []}":                              new(policyv1.Policy),
		"auth: {scopes: []}":                             new(policyv1.Policy),
		"auth: {allow: []}":                              new(policyv1.Policy),
		"auth: {deny: []}":                               new(policyv1.Policy),
		"auth: {user: {issuers: []}}":                    new(policyv1.Policy),
		"auth: {allow: [{name: r, peers: []}]}":          new(policyv1.Policy),
		"auth: {deny: [{name: r, claims: [{any: []}]}]}": new(policyv1.Policy),
		"retry: {codes: []}":                             new(policyv1.Policy),
		"identity: {accept_domains: []}":                 new(configv1.Config),
		"clients: {payments: {peers: []}}":               new(configv1.Config),
		"users: {issuers: [{keys: {algorithms: []}}]}":   new(configv1.Config),
		"users: {issuers: [{audiences: [\n]}]}":          new(configv1.Config),
	} {
		_, err := protoyaml.Unmarshal("f", []byte(text), m)
		const want = ": the list is empty, which would mean the same as no list; write its values, or remove the key"
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestAMistakeLeavesTheMessageAsItWas(t *testing.T) {
	got := fullConfig()
	if _, err := protoyaml.Unmarshal("f", []byte("identity: {trust_domain: other, unknown: 1}"), got); err == nil {
		t.Fatal("an unknown key was taken")
	}
	if !proto.Equal(got, fullConfig()) {
		t.Errorf("got %v, want what was there", got)
	}
}

func TestPlaces(t *testing.T) {
	places, err := protoyaml.Unmarshal("orders.yaml", []byte(full), new(configv1.Config))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path []string
		want string
		line int
	}{
		{[]string{"identity"}, "orders.yaml:2", 2},
		{[]string{"identity", "trust_domain"}, "orders.yaml:3", 3},
		{[]string{"clients", "payments", "peers", "1"}, "orders.yaml:12", 12},
		{[]string{"policies", "/shop.orders.v1.OrdersService/GetOrder"}, "orders.yaml:20", 20},
		{[]string{"policies", "/shop.orders.v1.OrdersService/GetOrder", "deadline", "max"}, "orders.yaml:22", 22},
		{[]string{"identity", "key_file"}, "", 0},
		{[]string{"no", "such", "path"}, "", 0},
		{nil, "", 0},
	} {
		if got, line := places.Of(test.path...), places.Line(test.path...); got != test.want || line != test.line {
			t.Errorf("%v: got %q, %d; want %q, %d", test.path, got, line, test.want, test.line)
		}
	}
	tricky, err := protoyaml.Unmarshal("f", []byte("clients:\n  \"a\\0target\": {}\n  a:\n    target: b\n"), new(configv1.Config))
	if got, line := tricky.Of("clients", "a", "target"), tricky.Line("clients", "a\x00target"); err != nil || got != "f:4" || line != 2 {
		t.Errorf("a key with a NUL stands for a path: got %q, %d, %v", got, line, err)
	}
	var none protoyaml.Places
	if got := none.Of("identity"); got != "" {
		t.Errorf("the zero Places knows %q", got)
	}
}
