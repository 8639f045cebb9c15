package policy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/policy"
)

var errRefused = errors.New("refused")

// deadlines is the simplest View: the deadline of each method.
func deadlines(t *policy.Table) *policy.View[time.Duration] {
	return policy.NewView(t, func(m policy.Method) (time.Duration, error) { return m.Deadline.Value, nil })
}

func want[T comparable](t *testing.T, v *policy.View[T], name string, want T) {
	t.Helper()
	if got, err := v.Get(name); err != nil || got != want {
		t.Errorf("Get(%s) = %v, %v; want %v", name, got, err, want)
	}
}

func TestFirstUseCompiles(t *testing.T) {
	compiled := map[string]int{}
	v := policy.NewView(policy.FromProto(), func(m policy.Method) (string, error) {
		compiled[m.Name]++
		return m.Name, nil
	})
	for range 3 {
		want(t, v, charge, charge)
	}
	if len(compiled) != 1 || compiled[charge] != 1 {
		t.Errorf("compiled %v, want %s once", compiled, charge)
	}
}

func TestRefusedMethodStaysRefused(t *testing.T) {
	compiled := 0
	v := policy.NewView(policy.FromProto(), func(policy.Method) (int, error) {
		compiled++
		return 1, errRefused
	})
	for range 3 {
		if _, err := v.Get(charge); !errors.Is(err, errRefused) {
			t.Errorf("got %v, want the error of compile", err)
		}
	}
	if compiled != 1 {
		t.Errorf("compiled %d times, want once", compiled)
	}
}

func TestResolveReportsEverything(t *testing.T) {
	v := policy.NewView(policy.FromProto(), func(m policy.Method) (int, error) {
		if m.Auth.Access.Stated() {
			return 0, nil
		}
		return 0, fmt.Errorf("%s: %w", m.Name, errRefused)
	})
	err := v.Resolve(charge, "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch", "/x.Y/Z")
	if got, want := fmt.Sprint(err), "/grpc.health.v1.Health/Check: refused\n/grpc.health.v1.Health/Watch: refused\n/x.Y/Z: refused"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := v.Resolve(charge, refund); err != nil {
		t.Error(err)
	}
}

func TestReplaceIsSeenByEveryViewAndTheTable(t *testing.T) {
	table := policy.FromProto()
	first, second := deadlines(table), deadlines(table)
	want(t, first, charge, 2*time.Second)
	if err := table.Replace(file(policies{charge: deadline(time.Second)})); err != nil {
		t.Fatal(err)
	}
	want(t, first, charge, time.Second)
	want(t, second, charge, time.Second)
	if got := method(t, table, charge).Deadline.Value; got != time.Second {
		t.Errorf("the table says %v, want 1s", got)
	}
	if err := table.Replace(); err != nil {
		t.Fatal(err)
	}
	want(t, first, charge, 2*time.Second)
}

func TestReplaceKeepsTheLastGoodPolicies(t *testing.T) {
	table := newTable(t, file(policies{charge: deadline(time.Second)}))
	kept := deadlines(table)
	strict := policy.NewView(table, func(m policy.Method) (time.Duration, error) {
		if m.Deadline.Value < time.Millisecond {
			return 0, fmt.Errorf("%v: %w", m.Deadline, errRefused)
		}
		return m.Deadline.Value, nil
	})
	want(t, kept, charge, time.Second)
	want(t, strict, charge, time.Second)
	for _, test := range []struct {
		name  string
		layer policy.Layer
		says  string
	}{
		{"a mistake in the layer", file(policies{charge: deadline(-1)}), "negative"},
		{"a View refuses", file(policies{charge: deadline(time.Microsecond)}), "refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := table.Replace(test.layer); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that says %s", err, test.says)
			}
			want(t, kept, charge, time.Second)
			want(t, strict, charge, time.Second)
			want(t, kept, refund, 2*time.Second)
		})
	}
}

func TestMethodThatWasRefusedBeforeDoesNotStopReplace(t *testing.T) {
	table := policy.FromProto()
	v := policy.NewView(table, func(m policy.Method) (time.Duration, error) {
		if m.Name == refund {
			return 0, errRefused
		}
		return m.Deadline.Value, nil
	})
	if err := v.Resolve(charge, refund); err == nil {
		t.Fatal("Refund was not refused")
	}
	if err := table.Replace(file(policies{charge: deadline(time.Second)})); err != nil {
		t.Fatal(err)
	}
	want(t, v, charge, time.Second)
}

func TestClosedViewAnswersNothing(t *testing.T) {
	table := policy.FromProto()
	refusing := false
	v := policy.NewView(table, func(policy.Method) (int, error) {
		if refusing {
			return 0, errRefused
		}
		return 1, nil
	})
	want(t, v, charge, 1)
	v.Close()
	v.Close()
	for _, name := range []string{charge, refund} {
		if _, err := v.Get(name); !errors.Is(err, policy.ErrClosed) {
			t.Errorf("Get(%s): got %v, want ErrClosed", name, err)
		}
	}
	refusing = true
	if err := table.Replace(file(policies{charge: deadline(time.Second)})); err != nil {
		t.Errorf("a closed View stopped a replacement: %v", err)
	}
	if _, err := v.Get(charge); !errors.Is(err, policy.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestUnknownMethodsDoNotFillTheMemory(t *testing.T) {
	compiled := map[string]int{}
	table := policy.FromProto()
	v := policy.NewView(table, func(m policy.Method) (string, error) {
		compiled[m.Name]++
		return m.Name, nil
	})
	name := func(i int) string { return fmt.Sprintf("/unknown.Service/Method%d", i) }
	long := "/unknown.Service/" + strings.Repeat("x", policy.MaxUndescribedName)
	want(t, v, long, long)
	want(t, v, long, long)
	for range 2 {
		for i := range policy.MaxUndescribedMethods + 1 {
			want(t, v, name(i), name(i))
		}
	}
	if compiled[name(0)] != 1 || compiled[name(policy.MaxUndescribedMethods-1)] != 1 {
		t.Error("the first methods were not kept")
	}
	if compiled[name(policy.MaxUndescribedMethods)] != 2 || compiled[long] != 2 {
		t.Error("one method too many, or too long a name, was kept")
	}
	want(t, v, charge, charge)
	want(t, v, charge, charge)
	if compiled[charge] != 1 {
		t.Error("a described method is not kept once the undescribed ones are too many")
	}
	if err := table.Replace(); err != nil {
		t.Fatal(err)
	}
	want(t, v, name(policy.MaxUndescribedMethods), name(policy.MaxUndescribedMethods))
	if compiled[name(policy.MaxUndescribedMethods)] != 3 {
		t.Error("the bound does not outlive a replacement")
	}
}

func TestGetDoesNotAllocate(t *testing.T) {
	table := newTable(t, file(policies{charge: &policyv1.Policy{Deadline: &policyv1.Deadline{Max: durationpb.New(time.Second)}}}))
	v := deadlines(table)
	want(t, v, charge, time.Second)
	if n := testing.AllocsPerRun(100, func() { _, _ = v.Get(charge) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// Narrowing only tightens, for a while: the next one and the next replacement take its place.
func TestNarrow(t *testing.T) {
	table := newTable(t, file(policies{charge: deadline(time.Second)}))
	v := deadlines(table)
	want(t, v, charge, time.Second)
	narrow := func(most time.Duration) func() error {
		return func() error { return table.Narrow(file(policies{charge: deadline(most)})) }
	}
	for _, step := range []struct {
		what    string
		change  func() error
		charges time.Duration
	}{
		{"looser", narrow(2 * time.Second), time.Second},
		{"tighter", narrow(time.Second / 2), time.Second / 2},
		{"less tight", narrow(time.Second * 3 / 4), time.Second * 3 / 4},
		{"taken back", func() error { return table.Narrow() }, time.Second},
		{"tight again", narrow(time.Second / 2), time.Second / 2},
		{
			"replaced", func() error { return table.Replace(file(policies{charge: deadline(2 * time.Second)})) },
			2 * time.Second,
		},
		{"taken back again", func() error { return table.Narrow() }, 2 * time.Second},
	} {
		if err := step.change(); err != nil {
			t.Errorf("%s: %v", step.what, err)
		}
		want(t, v, charge, step.charges)
	}
	if err := table.Narrow(file(policies{charge: deadline(-1)})); err == nil {
		t.Error("a bad layer was taken")
	}
	want(t, v, charge, 2*time.Second)
}

// Those who listen hear of replacements, when they are visible, and of nothing else.
func TestListen(t *testing.T) {
	table := newTable(t, file(policies{charge: deadline(time.Second)}))
	v := deadlines(table)
	var heard []time.Duration
	stop := v.Listen(func() {
		d, err := v.Get(charge)
		if err != nil {
			t.Error(err)
		}
		heard = append(heard, d)
	})
	replace := func(d time.Duration) error { return table.Replace(file(policies{charge: deadline(d)})) }
	if err := replace(1500 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := replace(-1); err == nil {
		t.Fatal("a bad layer was taken")
	}
	if err := table.Narrow(file(policies{charge: deadline(time.Second)})); err != nil {
		t.Fatal(err)
	}
	if err := replace(1800 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := replace(1900 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(heard, []time.Duration{1500 * time.Millisecond, 1800 * time.Millisecond}) {
		t.Errorf("heard of %v, want 1.5s and 1.8s", heard)
	}
}

// A replacement compiles what it changes, and leaves the rest as it was compiled.
func TestReplaceCompilesWhatChanges(t *testing.T) {
	table := newTable(t, file(policies{charge: deadline(time.Second), refund: deadline(time.Second)}))
	compiled := map[string]int{}
	view := policy.NewView(table, func(m policy.Method) (int, error) {
		compiled[m.Name]++
		return compiled[m.Name], nil
	})
	for i, layer := range []policy.Layer{
		file(policies{charge: deadline(time.Second), refund: deadline(time.Second)}), // the same again
		file(policies{charge: deadline(time.Second), refund: deadline(time.Minute)}),
		file(policies{charge: deadline(time.Second), refund: deadline(time.Minute), getQuote: deadline(time.Hour)}),
	} {
		if err := view.Resolve(charge, refund, "/not.described/Do"); err != nil {
			t.Fatal(err)
		}
		if err := table.Replace(layer); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]int{charge: 1, refund: 1 + min(i, 1), "/not.described/Do": 1} {
			if got, err := view.Get(name); err != nil || got != want || compiled[name] != want {
				t.Errorf("replacement %d, %s: %d, %v, compiled %d times, want %d", i, name, got, err, compiled[name], want)
			}
		}
	}
}
