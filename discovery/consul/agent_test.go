package consul_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
)

// agent speaks the part of Consul's HTTP API that the driver uses, over connections within the process.
type agent struct {
	listener *pipes
	server   *http.Server
	handling sync.WaitGroup

	mu       sync.Mutex
	index    uint64
	services map[string]*service
	changed  chan struct{} // closed and replaced by each change
	resumed  chan struct{} // closed at the end of a freeze; nil without one
	down     bool
	conns    map[net.Conn]struct{}
	delay    time.Duration
	requests int

	token      string // that every request must have
	leaderless bool
	filtered   bool // by the ACL
}

// service is a registered service, and whether its check passes.
type service struct {
	definition api.AgentServiceRegistration
	ttl        time.Duration
	passing    bool
	expiry     *time.Timer
}

func newAgent(t testing.TB) *agent {
	t.Helper()
	a, end := startAgent()
	t.Cleanup(end)
	return a
}

// startAgent returns an agent and a function that stops it.
func startAgent() (*agent, func()) {
	a := &agent{
		listener: newPipes(), index: 20, services: make(map[string]*service),
		changed: make(chan struct{}), conns: make(map[net.Conn]struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/agent/service/register", a.register)
	mux.HandleFunc("PUT /v1/agent/service/deregister/{id}", a.deregister)
	mux.HandleFunc("PUT /v1/agent/check/update/{id}", a.update)
	mux.HandleFunc("GET /v1/agent/services", a.list)
	mux.HandleFunc("GET /v1/health/service/{name}", a.health)
	a.server = &http.Server{Handler: a.gate(mux), ReadHeaderTimeout: time.Hour}
	var serving sync.WaitGroup
	serving.Go(func() { _ = a.server.Serve(a.listener) })
	return a, func() {
		a.setFrozen(false)
		a.forget()
		_ = a.server.Close()
		serving.Wait()
		a.handling.Wait()
	}
}

func (a *agent) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a.mu.Lock()
	down := a.down
	a.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	c, err := a.listener.connect(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns[c] = struct{}{}
	return c, nil
}

func (a *agent) setDown(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
	if down {
		for c := range a.conns {
			_ = c.Close()
		}
		clear(a.conns)
	}
}

func (a *agent) setFrozen(frozen bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case frozen && a.resumed == nil:
		a.resumed = make(chan struct{})
	case !frozen && a.resumed != nil:
		close(a.resumed)
		a.resumed = nil
	}
}

func (a *agent) setDelay(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.delay = d
}

// kill restarts an agent that has no data directory: it forgets everything, and its index begins anew.
func (a *agent) kill() {
	a.setDown(true)
	a.forget()
	a.setDown(false)
}

func (a *agent) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.services {
		a.remove(id)
	}
	a.index = 5
	a.change()
}

// loseHistory sets the index back and keeps the services.
func (a *agent) loseHistory() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.index = 5
	a.change()
}

func (a *agent) loseLeases() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.services {
		a.remove(id)
	}
	a.change()
}

func (a *agent) change() {
	a.index++
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *agent) remove(id string) bool {
	s, ok := a.services[id]
	if ok {
		s.expiry.Stop()
		delete(a.services, id)
	}
	return ok
}

// gate decides what happens to every request.
func (a *agent) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.handling.Add(1)
		defer a.handling.Done()
		a.mu.Lock()
		a.requests++
		delay, token := a.delay, a.token
		a.mu.Unlock()
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
		if !a.answers(r) {
			return
		}
		if token != "" && r.Header.Get("X-Consul-Token") != token {
			http.Error(w, "Permission denied: token with AccessorID lacks permission", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answers waits for the end of a freeze.
func (a *agent) answers(r *http.Request) bool {
	a.mu.Lock()
	resumed := a.resumed
	a.mu.Unlock()
	if resumed == nil {
		return true
	}
	select {
	case <-resumed:
		return true
	case <-r.Context().Done():
		return false
	}
}

func (a *agent) register(w http.ResponseWriter, r *http.Request) {
	var definition api.AgentServiceRegistration
	if err := json.NewDecoder(r.Body).Decode(&definition); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for key, value := range definition.Meta {
		if len(value) > 512 || len(definition.Meta) > 64 || !regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`).MatchString(key) {
			http.Error(w, "Invalid Service Meta", http.StatusBadRequest)
			return
		}
	}
	s := &service{definition: definition, passing: true}
	if definition.Check != nil {
		var err error
		if s.ttl, err = time.ParseDuration(definition.Check.TTL); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(definition.ID, s)
}

// put takes a service; one without a ttl stays. The caller holds the lock.
func (a *agent) put(id string, s *service) {
	a.remove(id)
	a.services[id] = s
	s.expiry = time.AfterFunc(cmp.Or(s.ttl, 1000*time.Hour), func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.services[id] == s {
			s.passing = false
			a.change()
		}
	})
	a.change()
}

func (a *agent) deregister(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.remove(r.PathValue("id")) {
		http.Error(w, "Unknown service ID", http.StatusNotFound)
		return
	}
	a.change()
}

func (a *agent) update(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.services[r.PathValue("id")]
	if !ok {
		http.Error(w, "Unknown check ID", http.StatusNotFound)
		return
	}
	s.expiry.Reset(s.ttl)
	if !s.passing {
		s.passing = true
		a.change()
	}
}

// list understands the one filter that the driver uses.
func (a *agent) list(w http.ResponseWriter, r *http.Request) {
	parts := regexp.MustCompile(`^Service == "([^"]*)" and Meta\["([^"]*)"\] == "([^"]*)"$`).
		FindStringSubmatch(r.FormValue("filter"))
	if parts == nil {
		http.Error(w, "Failed to create boolean expression evaluator", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	found := make(map[string]*api.AgentService)
	for id, s := range a.services {
		if s.definition.Name == parts[1] && s.definition.Meta[parts[2]] == parts[3] {
			found[id] = &api.AgentService{ID: id, Service: s.definition.Name, Meta: s.definition.Meta}
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

func (a *agent) health(w http.ResponseWriter, r *http.Request) {
	index, _ := strconv.ParseUint(r.FormValue("index"), 10, 64)
	wait, _ := time.ParseDuration(r.FormValue("wait"))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		a.mu.Lock()
		now, changed := a.index, a.changed
		a.mu.Unlock()
		if index == 0 || now > index {
			break
		}
		select {
		case <-changed:
			continue
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
		break
	}
	if !a.answers(r) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("X-Consul-Index", strconv.FormatUint(a.index, 10))
	w.Header().Set("X-Consul-Lastcontact", "0")
	w.Header().Set("X-Consul-Knownleader", strconv.FormatBool(!a.leaderless))
	w.Header().Set("X-Consul-Results-Filtered-By-Acls", strconv.FormatBool(a.filtered))
	_ = json.NewEncoder(w).Encode(a.entries(r.PathValue("name"), r.FormValue("passing") != ""))
}

func (a *agent) entries(name string, passing bool) []*api.ServiceEntry {
	entries := []*api.ServiceEntry{}
	for id, s := range a.services {
		d := s.definition
		if !strings.EqualFold(d.Name, name) || a.filtered || passing && !s.passing {
			continue
		}
		weights := api.AgentWeights{Passing: 1, Warning: 1}
		if d.Weights != nil {
			weights = *d.Weights
		}
		entries = append(entries, &api.ServiceEntry{
			Node: &api.Node{Node: "node-1", Address: "10.1.1.1"},
			Service: &api.AgentService{
				ID:      id,
				Service: d.Name,
				Meta:    d.Meta,
				Address: d.Address,
				Port:    d.Port,
				Weights: weights,
			},
		})
	}
	slices.SortFunc(entries, func(x, y *api.ServiceEntry) int { return cmp.Compare(x.Service.ID, y.Service.ID) })
	return entries
}
