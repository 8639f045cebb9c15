package discoverytest_test

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
)

// mutantVariable names, in the environment of a child process, the broken driver to run through the suite.
const mutantVariable = "PARLEY_DISCOVERYTEST_MUTANT"

// Each broken driver must fail the test for its mistake. It runs in a separate process, so that its failures do not
// fail this test.
func TestSuiteRefusesBrokenDrivers(t *testing.T) {
	if name, ok := os.LookupEnv(mutantVariable); ok {
		runMutant(t, name)
		return
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			output, err := child(t, m)
			refused := regexp.MustCompile(`--- FAIL: TestSuiteRefusesBrokenDrivers/` + m.killer + ` |panic: deadlock: `)
			if err == nil || !refused.MatchString(output) {
				t.Errorf("the suite does not refuse a driver that %s: %v\n%s", m.name, err, output)
			}
		})
	}
}

func child(t *testing.T, m mutant) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSuiteRefusesBrokenDrivers$/^"+m.killer+"$", "-test.v")
	cmd.Env = append(os.Environ(), mutantVariable+"="+m.name)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func runMutant(t *testing.T, name string) {
	for _, m := range mutants {
		if m.name == name {
			discoverytest.Run(t, func(*testing.T) discoverytest.Harness { return harness(m) })
			return
		}
	}
	t.Fatalf("the mutant %q does not exist", name)
}

// harness returns an engine whose clients all have the same mistake.
func harness(m mutant) discoverytest.Harness {
	engine := mem.New()
	var drivers []*broken
	return discoverytest.Harness{
		Driver: func(*testing.T) driver.Driver {
			d := newBroken(engine, m)
			drivers = append(drivers, d)
			return d
		},
		SetDown: func(_ *testing.T, down bool) { engine.SetDown(down) },
		Kill: func(*testing.T) {
			engine.SetDown(true)
			engine.SetDown(false)
		},
		Freeze:     func(_ *testing.T, frozen bool) { engine.SetFrozen(frozen) },
		Delay:      func(_ *testing.T, delay time.Duration) { engine.SetDelay(delay) },
		LoseLeases: func(*testing.T) { engine.LoseLeases() },
		DeleteEntry: func(_ *testing.T, service, id string) {
			for _, d := range drivers {
				d.deleting.Store(true)
			}
			engine.DeleteEntry(service, id)
		},
		LoseHistory: func(*testing.T) { engine.LoseHistory() },
		TTL:         2 * time.Second,
		Visible:     time.Millisecond,
		Detect:      time.Second + time.Millisecond,
	}
}

// The suite must accept the wrapper of the mutants.
func TestSuiteAcceptsTheUnbrokenWrapper(t *testing.T) {
	discoverytest.Run(t, func(*testing.T) discoverytest.Harness {
		return harness(mutant{breaks: func(*broken) {}})
	})
}

func TestMutantsAreToldApart(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range mutants {
		if seen[m.name] || strings.TrimSpace(m.killer) == "" {
			t.Errorf("mutant %q: named twice or without a killer", m.name)
		}
		seen[m.name] = true
	}
}
