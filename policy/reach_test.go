package policy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

const health = "/grpc.health.v1.Health/Check"

// Which methods a key is about.
func TestKeys(t *testing.T) {
	for _, test := range []struct {
		key  string
		yes  []string
		no   []string
		says string // of a key that is about nothing
	}{
		{key: "/*", yes: []string{getQuote, getOrder, health}},
		{key: "/shop.*", yes: []string{getQuote, charge, getOrder}, no: []string{health}},
		{key: "/shop.orders.*", yes: []string{getOrder}, no: []string{getQuote}},
		{key: "/shop.orders.v1.*", yes: []string{getOrder, watchOrder}, no: []string{getQuote}},
		{key: allOrders, yes: []string{getOrder}, no: []string{getQuote}},
		{key: getOrder, yes: []string{getOrder}, no: []string{watchOrder}},
		{key: "/shpo.*", says: `no linked .proto describes a service in the package "shpo"; did you mean "/shop.*"?`},
		{
			key:  "/somewhere.else.*",
			says: `no linked .proto describes a service in the package "somewhere.else"; import the generated package of one`,
		},
		{key: "/shop.orders.v1.OrdersService.*", says: `it is a service, so write "/shop.orders.v1.OrdersService/*"`},
		{key: "/shop.orders.v1/*", says: `it is a package, so write "/shop.orders.v1.*"`},
		{key: "/sho*", says: `is no method; write`},
		{key: "/shop*", says: `is no method; write`},
		{key: "/shop.orders.v1.Orders*", says: `is no method; write`},
		{key: "/shop.orders.v1.OrdersService/Get*", says: `is no method; write`},
		{key: "/*/*", says: `is no method; write`},
		{key: "/*/GetOrder", says: `is no method; write`},
		{key: "/*.OrdersService/GetOrder", says: `is no method; write`},
		{key: "/*.v1.*", says: `is no method; write`},
		{key: "/.*", says: `is no method; write`},
		{key: "/shop..*", says: `is no method; write`},
		{key: "/shop.**", says: `is no method; write`},
		{key: "*", says: `is no method; write`},
		{key: "shop.*", says: `is no method; write`},
		{key: "", says: `"/package.*" for a package, or "/*" for everything`},
	} {
		methods, problem := policy.Reached(test.key)
		for _, name := range test.yes {
			if !slices.Contains(methods, name) {
				t.Errorf("%s does not reach %s: %s", test.key, name, problem)
			}
		}
		for _, name := range test.no {
			if slices.Contains(methods, name) {
				t.Errorf("%s reaches %s", test.key, name)
			}
		}
		if (test.says != "") != (problem != "") || !strings.Contains(problem, test.says) {
			t.Errorf("%s: got %q, want %q", test.key, problem, test.says)
		}
		if test.says == "" {
			continue
		}
		if _, err := policy.New(file(policies{test.key: deadline(time.Second)})); err == nil ||
			!strings.Contains(err.Error(), test.says) {
			t.Errorf("%s is no mistake in a layer: %v", test.key, err)
		}
	}
}

// Whatever a key says, it is about exactly the methods that its text describes, or it is a mistake.
func FuzzKey(f *testing.F) {
	for _, seed := range []string{
		"/*", "/shop.*", "/shop.orders.v1.*", allOrders, getOrder, "/shop*", "/*/*", "/.*", "/shop.orders.v1/*", "",
	} {
		f.Add(seed)
	}
	var all []string
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			s := file.Services().Get(i)
			for j := range s.Methods().Len() {
				all = append(all, "/"+string(s.FullName())+"/"+string(s.Methods().Get(j).Name()))
			}
		}
		return true
	})
	f.Fuzz(func(t *testing.T, key string) {
		methods, problem := policy.Reached(key)
		if (problem == "") == (len(methods) == 0) {
			t.Errorf("%q reaches %d methods, and says %q", key, len(methods), problem)
		}
		for _, name := range all {
			begins, open := strings.CutSuffix(key, "*")
			inPackage := strings.HasSuffix(begins, ".") && strings.Count(begins, "/") == 1
			want := name == key ||
				open && strings.HasPrefix(name, begins) && (inPackage || strings.HasSuffix(begins, "/"))
			if got := slices.Contains(methods, name); got != want {
				t.Errorf("%q reaches %s: %v", key, name, got)
			}
		}
		p := policies{key: deadline(time.Second)}
		if _, err := policy.New(file(p)); (err == nil) != (problem == "") {
			t.Errorf("%q is read as %v, and said to be %q", key, err, problem)
		}
	})
}

// Statements of one layer that are about more than a service narrow like those of another layer, and each value knows
// which of them it is from.
func TestWideKeysNarrow(t *testing.T) {
	layer := policy.File("mesh.yaml", policies{
		"/*": {
			Deadline: &policyv1.Deadline{Max: durationpb.New(3 * time.Second)},
			Auth: &policyv1.Auth{
				Deny: []*policyv1.Rule{
					{Name: new("no-guests"), User: &policyv1.UserCondition{SubjectPrefix: []string{"guest-"}}},
				},
			},
		},
		"/shop.*":           {Auth: &policyv1.Auth{Peers: []string{"orders", "support"}}},
		"/shop.payments.*":  {Auth: &policyv1.Auth{Carrier: policyv1.Carrier_CARRIER_CONNECTION.Enum()}},
		allPayments:         {Deadline: &policyv1.Deadline{Max: durationpb.New(time.Second)}},
		charge:              {Auth: &policyv1.Auth{Scopes: []string{"charge"}}},
		"/shop.orders.v1.*": {Auth: &policyv1.Auth{Access: policyv1.Access_ACCESS_DENIED.Enum()}},
	}, func(key string) int { return len(key) })
	table := newTable(t, layer)
	m := method(t, table, charge)
	for got, want := range map[string]string{
		m.Deadline.Value.String():                         "1s",
		m.Deadline.Source.String():                        "file mesh.yaml:35",
		m.Auth.Carrier.Source.String():                    "file mesh.yaml:16 for /shop.payments.*",
		m.Auth.Deny[0].Source.String():                    "file mesh.yaml:2 for /*",
		m.Auth.Peers[len(m.Auth.Peers)-1].Source.String(): "file mesh.yaml:7 for /shop.*",
		m.Auth.Scopes.Source.String():                     "file mesh.yaml:40",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if !strings.Contains(m.String(), "file mesh.yaml:2 for /*: user; user subject_prefix guest-") {
		t.Errorf("the description does not say what the rule is about:\n%v", m)
	}
	if o := method(t, table, getOrder); o.Auth.Access.Value != policy.AccessDenied || o.Auth.Carrier.Stated() {
		t.Errorf("got %v", o)
	}
	if h := method(t, table, health); len(h.Auth.Deny) != 1 || len(h.Auth.Peers) != 0 || h.Auth.Access.Stated() {
		t.Errorf("got %v", h)
	}
	if s := method(t, table, watchOrder); s.Deadline.Source.Kind == policy.KindFile {
		t.Errorf("a stream has the deadline %v", s.Deadline)
	}
	if names := table.Methods(); !slices.Contains(names, health) {
		t.Errorf("nothing is stated about %s, of %v", health, names)
	}
	if m := method(t, table, "/not.linked.Service/Call"); m.Auth.Access.Stated() || m.Deadline.Stated() {
		t.Errorf("a method that no .proto describes has a policy: %v", m)
	}
}

// A mesh states attempts that do not fit into the deadline of one method, and a rule about users whom another does not
// take. The stricter one holds; nobody has to repeat the mesh's rules for each method.
func TestWideStatementsContradictNothing(t *testing.T) {
	newTable(t, file(policies{
		"/*": {
			Retry: &policyv1.Retry{PerAttemptTimeout: durationpb.New(time.Second)},
			Auth: &policyv1.Auth{Deny: []*policyv1.Rule{{
				Name: new("no-partners"), User: &policyv1.UserCondition{Issuers: []string{"https://partner.example"}},
			}}},
		},
		charge: {
			Deadline: &policyv1.Deadline{Max: durationpb.New(100 * time.Millisecond)},
			Auth:     &policyv1.Auth{User: &policyv1.User{Issuers: []string{"https://staff.example"}}},
		},
	}))
}

// A wide statement never opens methods that nobody thought of.
func TestNothingIsAnonymousWidely(t *testing.T) {
	anonymous := auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_ANONYMOUS.Enum()})
	for _, key := range []string{"/*", "/grpc.*"} {
		_, err := policy.New(file(policies{key: anonymous}))
		if err == nil || !strings.Contains(err.Error(), key+": auth.access: anonymous cannot be said of everything at once") {
			t.Errorf("got %v", err)
		}
	}
	newTable(t, file(policies{"/grpc.health.v1.Health/*": anonymous}))
}

// Nobody knows of every method of a package that it may be repeated.
func TestIdempotencyIsNotStatedWidely(t *testing.T) {
	for _, key := range []string{"/*", "/shop.*"} {
		_, err := policy.New(file(policies{key: {Idempotency: policyv1.Idempotency_IDEMPOTENCY_IDEMPOTENT.Enum()}}))
		want := "orders.yaml:12: " + key +
			": idempotency: it cannot be said of everything at once; say it of each method or service"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// What is wrong with a wide statement is reported once, and not for each method.
func TestWideMistakesAreReportedOnce(t *testing.T) {
	_, err := policy.New(file(policies{"/*": auth(&policyv1.Auth{Access: policyv1.Access_ACCESS_PEERS.Enum()})}))
	if err == nil || strings.Count(err.Error(), "no peers are listed anywhere") != 1 {
		t.Errorf("got %v", err)
	}
}

// A view sees a wide statement that a reload brings, in every method that it has compiled.
func TestReloadOfWideStatements(t *testing.T) {
	table := newTable(t)
	view := policy.NewView(table, func(m policy.Method) (int, error) { return len(m.Auth.Deny), nil })
	rules := func(name string) int {
		n, err := view.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := []int{rules(charge), rules(getOrder), rules(health)}
	if err := table.Replace(file(policies{"/shop.*": deny(peersRule("no-guests", "guest"))})); err != nil {
		t.Fatal(err)
	}
	if after := []int{rules(charge), rules(getOrder), rules(health)}; !slices.Equal(
		after,
		[]int{before[0] + 1, before[1] + 1, before[2]},
	) {
		t.Errorf("%v became %v", before, after)
	}
	if err := table.Replace(file(policies{"/shpo.*": deny(peersRule("no-guests", "guest"))})); err == nil {
		t.Error("a package that does not exist was taken")
	}
	if got := rules(charge); got != before[0]+1 {
		t.Errorf("%d rules after a reload that was refused", got)
	}
}
