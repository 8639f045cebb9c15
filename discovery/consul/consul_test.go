package consul_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"
	"go.uber.org/goleak"

	"github.com/parley-rpc/parley/discovery/consul"
	"github.com/parley-rpc/parley/discovery/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = 15 * time.Second

// watch follows payments for a time. It returns the lists that it received, and the final error.
func watch(t *testing.T, d driver.Driver, limit time.Duration) ([][]driver.Instance, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var lists [][]driver.Instance
	err := d.Watch(ctx, "payments", func(list []driver.Instance) { lists = append(lists, list) })
	return lists, err
}

func TestAnswersThatProveNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(a *agent)
		want  error
	}{
		{"of servers without a leader", func(a *agent) { a.leaderless = true }, consul.ErrNoLeader},
		{"without an index", func(a *agent) { a.index = 0 }, consul.ErrNoIndex},
		{"from which the ACLs removed everything", func(a *agent) { a.filtered = true }, consul.ErrFiltered},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent(t)
				tt.spoil(a)
				d := open(t, a)
				defer func() { _ = d.Close() }()
				lists, err := watch(t, d, time.Minute)
				if !errors.Is(err, tt.want) || len(lists) > 0 {
					t.Errorf("Watch: %v after %d lists; want %v and none", err, len(lists), tt.want)
				}
			})
		})
	}
}

func TestTheTokenIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		stranger := open(t, a)
		defer func() { _ = stranger.Close() }()
		a.token = "secret"
		d := open(t, a)
		defer func() { _ = d.Close() }()
		if _, err := watch(t, stranger, time.Second); err == nil || !strings.Contains(err.Error(), "Permission denied") {
			t.Errorf("without the token: %v", err)
		}
		if lists, err := watch(t, d, time.Second); !errors.Is(err, context.DeadlineExceeded) || len(lists) != 1 {
			t.Errorf("with it: %v after %d lists", err, len(lists))
		}
	})
}

// An index that goes backwards must not be waited for, and a service that does not change must not be asked for all the
// time.
func TestQueries(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(a *agent)
		lists  int
		most   int // requests in a minute
	}{
		{"nothing changes", func(*agent) {}, 1, 15},
		{"another service changes every 10ms", func(a *agent) {
			for range 6000 {
				a.mu.Lock()
				a.change()
				a.mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		}, 700, 700},
		{"the index goes backwards", func(a *agent) {
			time.Sleep(10 * time.Second)
			a.loseHistory()
			a.mu.Lock()
			defer a.mu.Unlock()
			a.put("x", &service{definition: api.AgentServiceRegistration{ID: "x", Name: "payments", Port: 8443}, passing: true})
		}, 3, 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAgent(t)
				d := open(t, a)
				defer func() { _ = d.Close() }()
				done := make(chan struct{})
				go func() {
					defer close(done)
					tt.change(a)
				}()
				lists, err := watch(t, d, time.Minute)
				<-done
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				if n := len(lists); n < 1 || n > tt.lists {
					t.Errorf("%d lists were emitted; want at most %d", n, tt.lists)
				}
				if a.requests > tt.most {
					t.Errorf("%d requests in a minute; want at most %d", a.requests, tt.most)
				}
				if last := lists[len(lists)-1]; strings.HasPrefix(tt.name, "the index") && len(last) != 1 {
					t.Errorf("the last list is %+v; want what was registered afterwards", last)
				}
			})
		})
	}
}

func TestServicesOfOthersAreFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		a.mu.Lock()
		for _, d := range []api.AgentServiceRegistration{
			{ID: "web 1", Name: "payments", Address: "10.0.0.1", Port: 8443},
			{
				ID: "web2", Name: "payments", Port: 8443, Meta: map[string]string{"zone": "b", "version": "v1"},
				Weights: &api.AgentWeights{Passing: 5},
			},
			{ID: "no-port", Name: "payments", Address: "10.0.0.2"},
			{ID: "other-case", Name: "Payments", Address: "10.0.0.3", Port: 8443},
			{ID: "broken", Name: "payments", Address: "10.0.0.4", Port: 8443, Meta: map[string]string{"parley-0": "!"}},
		} {
			a.put(d.ID, &service{definition: d, passing: true})
		}
		a.put("critical", &service{definition: api.AgentServiceRegistration{ID: "critical", Name: "payments", Port: 8443}})
		a.mu.Unlock()
		d := open(t, a)
		defer func() { _ = d.Close() }()
		lists, err := watch(t, d, time.Second)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		want := []driver.Instance{
			{ID: "10.0.0.1:8443", Service: "payments", Addresses: []string{"10.0.0.1:8443"}, Weight: 1},
			{
				ID: "node-1:web2", Service: "payments", Addresses: []string{"10.1.1.1:8443"}, Zone: "b", Version: "v1", Weight: 5,
				Metadata: map[string]string{"zone": "b", "version": "v1"},
			},
		}
		if !slices.EqualFunc(lists[0], want, driver.Instance.Equal) {
			t.Errorf("listed are\n%+v\nwant\n%+v", lists[0], want)
		}
	})
}

func TestOthersCanUseWhatIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(t)
		d := open(t, a)
		in := driver.Instance{ID: "a", Service: "payments", Addresses: []string{"10.0.0.7:8443"}, Weight: 3}
		if _, err := d.Announce(t.Context(), in, ttl); err != nil {
			t.Fatal(err)
		}
		for _, s := range a.services {
			got := s.definition
			if got.Address != "10.0.0.7" || got.Port != 8443 || got.Weights.Passing != 3 || got.Check.TTL != "15s" ||
				got.Check.DeregisterCriticalServiceAfter != "1m0s" {
				t.Errorf("registered is %+v with %+v", got, got.Check)
			}
		}
		_ = d.Close()
	})
}

func TestTooMuchMetadataIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, newAgent(t))
		defer func() { _ = d.Close() }()
		in := driver.Instance{
			ID:        "a",
			Service:   "payments",
			Addresses: []string{"10.0.0.7:8443"},
			Metadata:  map[string]string{"x": strings.Repeat("x", 20_000)},
		}
		l, err := d.Announce(t.Context(), in, ttl)
		if err != nil {
			t.Fatalf("20,000 bytes: %v", err)
		}
		if lists, _ := watch(t, d, time.Second); !lists[0][0].Equal(in) {
			t.Error("20,000 bytes do not come back")
		}
		in.Metadata["x"] = strings.Repeat("x", 25_000)
		if err := l.Update(t.Context(), in); err == nil || !strings.Contains(err.Error(), "shorten its metadata") {
			t.Errorf("25,000 bytes: %v", err)
		}
	})
}

func TestURLs(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ url, mistake string }{
		{"consul://127.0.0.1:8500", ""},
		{"consul://127.0.0.1:8500/?wait=10s&dc=east&namespace=shop&partition=x&tls=system&token_file=" + token, ""},
		{"consul://127.0.0.1", "want consul://host:port"},
		{"consul://127.0.0.1:8500/v1", "without a path"},
		{"consul://127.0.0.1:8500?wait=1ms", "wait=1ms: want a time between 1s and 10m"},
		{"consul://127.0.0.1:8500?wait=long", "wait=long"},
		{"consul://127.0.0.1:8500?token=secret", `parameter "token"`},
		{"consul://127.0.0.1:8500?token_file=none", "token_file: open none"},
		{"consul://127.0.0.1:8500?tls=yes", "want tls=system, or ca"},
	} {
		d, err := consul.Open(tt.url)
		switch {
		case tt.mistake == "" && (err != nil || d.String() != "consul at 127.0.0.1:8500"):
			t.Errorf("%s: %v, %v", tt.url, d, err)
		case tt.mistake != "" && (err == nil || !strings.Contains(err.Error(), tt.mistake)):
			t.Errorf("%s: %v; want %q", tt.url, err, tt.mistake)
		}
		if d != nil {
			_ = d.Close()
		}
	}
	if _, err := consul.New(consul.Config{}); err == nil || !strings.Contains(err.Error(), "the address is missing") {
		t.Errorf("New without an address: %v", err)
	}
}

func ExampleOpen_mistake() {
	_, err := consul.Open("consul://127.0.0.1")
	fmt.Println(err)
	// Output: consul: "127.0.0.1": want consul://host:port, such as consul://127.0.0.1:8500, without a path
}
