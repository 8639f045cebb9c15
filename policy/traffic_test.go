package policy_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/policy"
)

// mesh is routes to the host payments. All calls of a method get the same.
type mesh struct {
	calls map[string]policy.Traffic // by method, "" for every other one
	to    policy.Destination
}

func (m *mesh) String() string { return "a mesh" }

func (m *mesh) Traffic(host, method string) policy.Traffic {
	if host != "payments" {
		return policy.Traffic{}
	}
	if t, ok := m.calls[method]; ok {
		return t
	}
	return m.calls[""]
}

func (m *mesh) Destination(host string) policy.Destination {
	if host != "payments" {
		return policy.Destination{}
	}
	return m.to
}

func (m *mesh) Statements(host string) []policy.Statement {
	return []policy.Statement{{Name: "calls of every method to " + host, Value: "deadline 1s", Source: "file mesh.yaml:3"}}
}

func at[T any](value T, place string) policy.Value[T] {
	return policy.Value[T]{Value: value, Source: policy.Source{Kind: policy.KindFile, Place: place}}
}

// TestToward narrows the policies of one host, and of no other host and no server.
func TestToward(t *testing.T) {
	routes := &mesh{calls: map[string]policy.Traffic{
		"": {Deadline: at(100*time.Millisecond, "mesh.yaml:3"), Retry: policy.Retry{MaxAttempts: at(2, "mesh.yaml:5")}},
	}}
	table := newTable(t, policy.Routed(routes))
	toward := table.Toward("payments")
	for name, from := range map[string]*policy.Table{"a server": table, "another host": table.Toward("bank")} {
		if got, want := method(t, from, getQuote), method(t, policy.FromProto(), getQuote); !reflect.DeepEqual(got, want) {
			t.Errorf("%s has\n%v", name, got)
		}
	}
	got := method(t, toward, getQuote)
	if got.Deadline != at(100*time.Millisecond, "mesh.yaml:3") {
		t.Errorf("the deadline is %v", got.Deadline)
	}
	if got.Retry.MaxAttempts != at(2, "mesh.yaml:5") {
		t.Errorf("the attempts are %v", got.Retry.MaxAttempts)
	}
	if s := toward.Statements(); len(s) != 1 || len(table.Statements()) != 0 {
		t.Errorf("stated is %v", s)
	}
}

// TestTowardFollowsReplacements sees through a View of one host what Replace and Narrow bring.
func TestTowardFollowsReplacements(t *testing.T) {
	table := newTable(t)
	view := policy.NewView(table.Toward("payments"), func(m policy.Method) (time.Duration, error) {
		return m.Deadline.Value, nil
	})
	defer view.Close()
	routed := func(d time.Duration) policy.Layer {
		return policy.Routed(&mesh{calls: map[string]policy.Traffic{"": {Deadline: at(d, "mesh.yaml:3")}}})
	}
	before, err := view.Get(getQuote)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		do   func() error
		want time.Duration
	}{
		{func() error { return table.Replace(routed(30 * time.Millisecond)) }, 30 * time.Millisecond},
		{func() error { return table.Narrow(routed(20 * time.Millisecond)) }, 20 * time.Millisecond},
		{func() error { return table.Toward("bank").Narrow() }, 30 * time.Millisecond},
		{func() error { return table.Toward("bank").Replace() }, before},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got, err := view.Get(getQuote); err != nil || got != step.want {
			t.Errorf("got %v, %v, want %v", got, err, step.want)
		}
	}
}

// TestDestinations puts the destinations of several layers together.
func TestDestinations(t *testing.T) {
	first := &mesh{to: policy.Destination{
		Balancing: at("ring_hash", "a:1"), HashMetadata: at("user", "a:2"), BudgetRatio: at(0.05, "a:3"),
		Rest: at(time.Second, "a:4"),
	}}
	second := &mesh{to: policy.Destination{
		Balancing: at("round_robin", "b:1"), BudgetRatio: at(0.2, "b:3"), Interval: at(time.Minute, "b:5"),
		OutliersOff: at(true, "b:6"), FailurePercent: at(60, "b:7"), MaxPercent: at(20, "b:8"),
	}}
	want := policy.Destination{
		Balancing: at("round_robin", "b:1"), BudgetRatio: at(0.05, "a:3"), Rest: at(time.Second, "a:4"),
		Interval: at(time.Minute, "b:5"), OutliersOff: at(true, "b:6"), FailurePercent: at(60, "b:7"),
		MaxPercent: at(20, "b:8"),
	}
	table := newTable(t, policy.Routed(first), policy.Routed(second))
	if got := table.Toward("payments").Destination(); got != want {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if got := table.Destination(); got != (policy.Destination{}) {
		t.Errorf("a server has %v", got)
	}
}

// TestRoutesNarrow narrows random layers by random routes: what calls may do never grows, the order of the layers has
// no effect, and servers see nothing of it.
func TestRoutesNarrow(t *testing.T) {
	source := rand.New(rand.NewPCG(3, 4))
	compared := 0
	for range rounds.Of(200) {
		layer := randomLayer(source)
		before, err := policy.New(layer)
		if err != nil {
			continue
		}
		a, b := policy.Routed(randomRoutes(source)), policy.Routed(randomRoutes(source))
		after, turned := newTable(t, layer, a, b), newTable(t, b, layer, a)
		for _, name := range []string{getQuote, charge, watchCharge, watchOrder, negotiate, getOrder} {
			was, is := method(t, before, name), method(t, after.Toward("payments"), name)
			tightens(t, was, is)
			remains(t, was, is)
			if got := method(t, turned.Toward("payments"), name); !reflect.DeepEqual(effect(got), effect(is)) {
				t.Fatalf("the order matters: got\n%v\nwant\n%v", got, is)
			}
			if got := method(t, after, name); !reflect.DeepEqual(got, was) {
				t.Fatalf("a server has\n%v\ninstead of\n%v", got, was)
			}
			compared++
		}
	}
	if compared < 100 {
		t.Errorf("only %d methods were compared", compared)
	}
}

// remains fails unless everything that was stated of time and attempts still is.
func remains(t *testing.T, before, after policy.Method) {
	t.Helper()
	for name, stated := range map[string][2]bool{
		"deadline":            {before.Deadline.Stated(), after.Deadline.Stated()},
		"max attempts":        {before.Retry.MaxAttempts.Stated(), after.Retry.MaxAttempts.Stated()},
		"per-attempt timeout": {before.Retry.PerAttemptTimeout.Stated(), after.Retry.PerAttemptTimeout.Stated()},
		"initial backoff":     {before.Retry.InitialBackoff.Stated(), after.Retry.InitialBackoff.Stated()},
		"max backoff":         {before.Retry.MaxBackoff.Stated(), after.Retry.MaxBackoff.Stated()},
	} {
		if stated[0] && !stated[1] {
			t.Errorf("%s: the %s was lost", after.Name, name)
		}
	}
	if before.Idempotency != after.Idempotency {
		t.Errorf("%s: the idempotency was %v and is %v", after.Name, before.Idempotency, after.Idempotency)
	}
}

func randomRoutes(r *rand.Rand) *mesh {
	m := &mesh{calls: map[string]policy.Traffic{}}
	for _, name := range []string{"", getQuote, watchCharge, getOrder} {
		m.calls[name] = randomTraffic(r)
	}
	return m
}

func randomTraffic(r *rand.Rand) policy.Traffic {
	var traffic policy.Traffic
	some := func() bool { return r.IntN(3) == 0 }
	place := fmt.Sprintf("mesh.yaml:%d", r.IntN(100)+1)
	between := func(most time.Duration) policy.Value[time.Duration] {
		return at(time.Millisecond+time.Duration(r.Int64N(int64(most))), place)
	}
	if some() {
		traffic.Deadline = between(time.Minute)
	}
	if some() {
		traffic.Retry.MaxAttempts = at(r.IntN(10)+1, place)
	}
	if some() {
		traffic.Retry.PerAttemptTimeout = between(time.Second)
	}
	if some() {
		traffic.Retry.InitialBackoff = between(100 * time.Millisecond)
		traffic.Retry.MaxBackoff = at(10*traffic.Retry.InitialBackoff.Value, place)
	}
	if some() {
		list := []codes.Code{codes.Canceled, codes.Internal, codes.Unavailable}
		traffic.Retry.Codes = at(slices.Clone(list[r.IntN(3):]), place)
	}
	return traffic
}
