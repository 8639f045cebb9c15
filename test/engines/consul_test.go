package engines

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/parley-rpc/parley/discovery/consul"
	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
)

// agent is a Consul that keeps nothing: one that is killed comes back without services, and its index begins anew.
type agent struct {
	process *process
	addr    string
	client  *api.Client
}

func startConsul(t *testing.T) *agent {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	config := filepath.Join(dir, "consul.json")
	write(t, config, fmt.Appendf(nil, `{
		"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "log_level": "warn", "disable_update_check": true,
		"ports": {"http": %d, "server": %d, "serf_lan": %d, "serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1},
		"limits": {"http_max_conns_per_client": 2000}
	}`, port, freePort(t), freePort(t)))
	a := &agent{addr: fmt.Sprint("127.0.0.1:", port)}
	a.process = launch(t, filepath.Join(dir, "log"), "consul", "agent", "-dev", "-config-file="+config)
	a.ready(t)
	client, err := api.NewClient(&api.Config{Address: a.addr})
	if err != nil {
		t.Fatal(err)
	}
	a.client = client
	return a
}

func (a *agent) ready(t testing.TB) {
	t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	await(t, "Consul has a leader", func(ctx context.Context) bool {
		response, ok := answers(ctx, client, "http://"+a.addr+"/v1/status/leader", "")
		if response == nil {
			return false
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(response.Body)
		return ok && err == nil && strings.Contains(string(text), ":")
	})
}

func (a *agent) kill(t *testing.T) {
	t.Helper()
	a.process.end()
	a.process.start(t)
	a.ready(t)
}

// deregister takes the services of a name, or all, from the agent.
func (a *agent) deregister(t testing.TB, service string) {
	t.Helper()
	services, err := a.client.Agent().Services()
	if err != nil {
		t.Fatal(err)
	}
	for id, s := range services {
		if service == "" || s.Service == service {
			if err := a.client.Agent().ServiceDeregister(id); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestConsul(t *testing.T) {
	discoverytest.RunLive(t, func(t *testing.T) discoverytest.Harness {
		a := startConsul(t)
		proxy := discoverytest.NewProxy(t, a.addr)
		return discoverytest.Harness{
			Driver: func(t *testing.T) driver.Driver {
				d, err := consul.Open("consul://" + proxy.Addr() + "?wait=1s")
				if err != nil {
					t.Fatal(err)
				}
				return d
			},
			Many:        20, // on this one agent, which answers all queries for a service anew with each of its changes
			SetDown:     func(_ *testing.T, down bool) { proxy.SetDown(down) },
			Kill:        a.kill,
			Freeze:      a.process.freeze,
			Delay:       func(_ *testing.T, delay time.Duration) { proxy.SetDelay(delay) },
			LoseLeases:  func(t *testing.T) { a.deregister(t, "") },
			DeleteEntry: func(t *testing.T, service, _ string) { a.deregister(t, service) },
			TTL:         2 * time.Second,
			Visible:     2 * time.Second,
			Detect:      8 * time.Second,
		}
	})
}
