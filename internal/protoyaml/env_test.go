package protoyaml_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
)

func twoClients() *configv1.Config {
	return &configv1.Config{Clients: map[string]*configv1.Client{"payments": nil, "mail-out.v1": {Peers: []string{"mail"}}}}
}

func TestApplyEnv(t *testing.T) {
	got := twoClients()
	got.GetClients()["payments"] = new(configv1.Client) // as a bare key gives
	places, err := protoyaml.ApplyEnv("PARLEY", []string{
		"HOME=/root", "PARLEYX=1", "PARLEY=1", "parley_identity_trust_dir=/lower",
		"PARLEY_IDENTITY_TRUST_DIR=/first", "PARLEY_IDENTITY_TRUST_DIR=/etc/parley",
		"PARLEY_IDENTITY_ENROLL=never",
		"PARLEY_IDENTITY_MAX_CONNECTION_AGE=5m",
		"PARLEY_IDENTITY_ACCEPT_DOMAINS=a.example, b.example",
		"PARLEY_CLIENTS_PAYMENTS_TARGET=dns:///payments=1",
		"PARLEY_CLIENTS_PAYMENTS_RETRY_BUDGET_MAX=3",
		"PARLEY_CLIENTS_MAIL_OUT_V1_PEERS=post",
		"PARLEY_SURFACES_ADMIN=",
	}, got)
	if err != nil {
		t.Fatal(err)
	}
	want := &configv1.Config{
		Identity: &configv1.Identity{
			TrustDir: new("/etc/parley"), Enroll: configv1.Enroll_ENROLL_NEVER.Enum(),
			MaxConnectionAge: durationpb.New(5 * time.Minute), AcceptDomains: []string{"a.example", "b.example"},
		},
		Clients: map[string]*configv1.Client{
			"payments":    {Target: new("dns:///payments=1"), RetryBudget: &configv1.RetryBudget{Max: proto.Uint32(3)}},
			"mail-out.v1": {Peers: []string{"post"}},
		},
		Surfaces: &configv1.Surfaces{Admin: new("")},
	}
	if !proto.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := places.Of("clients", "mail-out.v1", "peers"); got != "env PARLEY_CLIENTS_MAIL_OUT_V1_PEERS" {
		t.Errorf("got %q, want the variable", got)
	}
	if got := places.Line("identity", "trust_dir"); got != 0 {
		t.Errorf("a variable has line %d", got)
	}
	n := 0
	for path, place := range places.All() {
		n++
		if path == "identity.trust_dir" && place != "env PARLEY_IDENTITY_TRUST_DIR" {
			t.Errorf("%s: got %q", path, place)
		}
	}
	if n != 8 {
		t.Errorf("%d paths have a place, want 8", n)
	}
}

func TestApplyEnvMistakes(t *testing.T) {
	for _, test := range []struct{ variable, want string }{
		{"PARLEY_IDENTITY_TRUST_DRI=x", "env PARLEY_IDENTITY_TRUST_DRI: no value has this name; did you mean PARLEY_IDENTITY_TRUST_DIR?"},
		{"PARLEY_identity_trust_dir=x", "env PARLEY_identity_trust_dir: no value has this name; did you mean PARLEY_IDENTITY_TRUST_DIR?"},
		{"PARLEY_CLIENTS_PAYMENTS_TRAGET=x", "env PARLEY_CLIENTS_PAYMENTS_TRAGET: no value has this name; did you mean PARLEY_CLIENTS_PAYMENTS_TARGET?"},
		{"PARLEY_X=x", "env PARLEY_X: no value has this name; it is the path of a value in upper case, as PARLEY_SECTION_VALUE"},
		{"PARLEY_=x", "env PARLEY_: no value has this name; it is the path of a value in upper case, as PARLEY_SECTION_VALUE"},
		{"PARLEY_IDENTITY=x", "env PARLEY_IDENTITY: identity: this is a section, not a value; name a value in it, or state it in the file"},
		{"PARLEY_CLIENTS_PAYMENTS=x", "env PARLEY_CLIENTS_PAYMENTS: clients.payments: this is a section, not a value; name a value in it, or state it in the file"},
		{"PARLEY_CLIENTS_BILLING_TRAGET=x", `env PARLEY_CLIENTS_BILLING_TRAGET: clients: no entry and no value of one has this name; it has "mail-out.v1", "payments"; write the name of the entry, an underscore, and the path of the value`},
		{"PARLEY_SERVERS_ORDERS=x", "env PARLEY_SERVERS_ORDERS: servers: no entry and no value of one has this name; it has no entries; write the name of the entry, an underscore, and the path of the value"},
		{"PARLEY_LIFECYCLE_GRACE=20", "env PARLEY_LIFECYCLE_GRACE: lifecycle.grace: want a duration like 250ms, got \"20\""},
		{"PARLEY_LIFECYCLE_GRACE=", "env PARLEY_LIFECYCLE_GRACE: lifecycle.grace: want a duration like 250ms, got \"\""},
		{"PARLEY_IDENTITY_ENROLL=maybe", "env PARLEY_IDENTITY_ENROLL: identity.enroll: want one of never, self, got \"maybe\""},
		{"PARLEY_CLIENTS_PAYMENTS_PEERS=", "env PARLEY_CLIENTS_PAYMENTS_PEERS: clients.payments.peers: an item is empty; separate the values with single commas, or unset the variable"},
		{"PARLEY_CLIENTS_PAYMENTS_PEERS=a,,b", "env PARLEY_CLIENTS_PAYMENTS_PEERS: clients.payments.peers: an item is empty; separate the values with single commas, or unset the variable"},
		{"PARLEY_CLIENTS_PAYMENTS_RETRY_BUDGET_RATIO=Inf", "env PARLEY_CLIENTS_PAYMENTS_RETRY_BUDGET_RATIO: clients.payments.retry_budget.ratio: want a number, got \"Inf\""},
		{"PARLEY_CLIENTS_PAYMENTS_TARGET=\xff", "env PARLEY_CLIENTS_PAYMENTS_TARGET: clients.payments.target: the value is not UTF-8"},
	} {
		t.Run(test.variable, func(t *testing.T) {
			config := twoClients()
			_, err := protoyaml.ApplyEnv("PARLEY", []string{test.variable, "PARLEY_IDENTITY_TRUST_DIR=/etc/parley"}, config)
			if got := message(err); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if !proto.Equal(config, twoClients()) {
				t.Errorf("a mistake left %v", config)
			}
		})
	}
}

// A container without a file names its clients in the environment.
func TestAVariableAddsAnEntry(t *testing.T) {
	config := new(configv1.Config)
	places, err := protoyaml.ApplyEnv("PARLEY", []string{
		"PARLEY_CLIENTS_MAIL_OUT_TARGET=dns:///mail:443",
		"PARLEY_CLIENTS_MAIL_OUT_RETRY_BUDGET_MAX=3",
		"PARLEY_SERVERS_ORDERS_LISTEN=:8443",
		"PARLEY_DISCOVERY_SERVICES_PAYMENTS_ADDRESSES=a:1,b:1",
	}, config)
	if err != nil {
		t.Fatal(err)
	}
	want := &configv1.Config{
		Clients: map[string]*configv1.Client{"mail-out": {
			Target: new("dns:///mail:443"), RetryBudget: &configv1.RetryBudget{Max: proto.Uint32(3)},
		}},
		Servers: map[string]*configv1.Server{"orders": {Listen: new(":8443")}},
		Discovery: &configv1.Discovery{Services: map[string]*configv1.Addresses{
			"payments": {Addresses: []string{"a:1", "b:1"}},
		}},
	}
	if !proto.Equal(config, want) {
		t.Errorf("got  %v\nwant %v", config, want)
	}
	if got := places.Of("clients", "mail-out", "target"); got != "env PARLEY_CLIENTS_MAIL_OUT_TARGET" {
		t.Errorf("the target is stated by %q", got)
	}
}

func TestApplyEnvReportsEverything(t *testing.T) {
	_, err := protoyaml.ApplyEnv("PARLEY", []string{"PARLEY_B=1", "PARLEY_A=1"}, new(configv1.Config))
	const says = ": no value has this name; it is the path of a value in upper case, as PARLEY_SECTION_VALUE"
	if got, want := message(err), "env PARLEY_A"+says+"\nenv PARLEY_B"+says; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAVariableMustNotMeanTwoThings(t *testing.T) {
	config := &configv1.Config{Clients: map[string]*configv1.Client{"a-b": {}, "a.b": {}}}
	_, err := protoyaml.ApplyEnv("PARLEY", []string{"PARLEY_CLIENTS_A_B_TARGET=x"}, config)
	if got, want := message(err), `env PARLEY_CLIENTS_A_B_TARGET: the name could mean clients.a-b.target or clients["a.b"].target; state them in the file`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func ExampleApplyEnv() {
	config := &configv1.Config{Policies: map[string]*policyv1.Policy{"/shop.Orders/Get": {}}}
	places, err := protoyaml.ApplyEnv("PARLEY", []string{"PARLEY_POLICIES__SHOP_ORDERS_GET_DEADLINE_MAX=2s"}, config)
	for path, place := range places.All() {
		fmt.Println(path, "is stated by", place, err)
	}
	// Output:
	// policies["/shop.Orders/Get"].deadline.max is stated by env PARLEY_POLICIES__SHOP_ORDERS_GET_DEADLINE_MAX <nil>
}

func ExampleUnmarshal() {
	config := new(configv1.Config)
	_, err := protoyaml.Unmarshal("orders.yaml", []byte("identity:\n  trust_dri: /etc/parley\nlifecycle:\n  grace: 20"), config)
	fmt.Println(err)
	// Output:
	// orders.yaml:2:3: identity: unknown key "trust_dri"; did you mean "trust_dir"?
	// orders.yaml:4:10: lifecycle.grace: want a duration like 250ms, got a number
}
