package framework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
)

// configFile is the configuration file of an App, and the content that is in force.
type configFile struct {
	path  string // "" without a file
	fixed []byte // the content of WithConfig; nil for a file that the App reads
	watched
	policies bool               // whether the content in force has policies
	stated   func() []statement // nil: nothing is
}

// mayChange reports whether there is a file, whose content may change.
func (f *configFile) mayChange() bool { return f.path != "" && f.fixed == nil }

func (f *configFile) glance() glance {
	if f.fixed != nil {
		return glance{data: f.fixed}
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		err = fmt.Errorf("WithConfigFile(%q): %w", f.path, withRemedy(err))
	}
	return glance{data, err}
}

// lost returns an error if a new content looks like a part of the one in force, which has policies.
func (f *configFile) lost(after []byte, read reading) error {
	before := bytes.TrimSpace(f.data)
	after = bytes.TrimSpace(after)
	switch {
	case !f.policies:
		return nil
	case !read.keyed:
		return fmt.Errorf(
			"%s: the file has lost its policies; put them back, or write \"policies: {}\" to remove them",
			f.path,
		)
	case len(after) < len(before) && bytes.HasPrefix(before, after):
		return fmt.Errorf("%s: the file ends earlier than before and seems to be cut; complete it, or change a line before "+
			"the end, such as a comment, to remove the end on purpose", f.path)
	}
	return nil
}

// adopt records that data is in force. Pending reports whether a part of it takes effect at the next start.
func (f *configFile) adopt(data []byte, read reading, pending bool) {
	f.watched.adopt(data, pending)
	f.policies = len(read.config.GetPolicies()) > 0
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stated = read.stated
}

func (f *configFile) statements() []statement {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stated == nil {
		return nil
	}
	return f.stated()
}

// states reports whether the configuration has a value at the path.
func (f *configFile) states(path string) bool {
	return slices.ContainsFunc(f.statements(), func(s statement) bool { return s.path == path })
}

// describe writes the paths of the configured values and the places that state them. It does not write the values,
// because they can be read in their places.
func (f *configFile) describe(b *bytes.Buffer) {
	stated := f.statements()
	if len(stated) == 0 {
		return
	}
	b.WriteString("configuration\n")
	for _, s := range stated {
		fmt.Fprintf(b, "  %s  %s\n", s.path, s.place)
	}
}

// contents yields the name and the state of the configuration file and of each policy source.
func (p *parts) contents(yield func(string, contentState) bool) {
	if p.file.path != "" && !yield(p.file.path, p.file.current()) {
		return
	}
	for _, s := range p.sources {
		if !yield(s.files.String(), s.current()) {
			return
		}
	}
}

// startReload looks at the configuration file and at the policy sources every reloadInterval.
func (a *App) startReload(p *parts) {
	ctx, cancel := context.WithCancel(context.Background())
	p.stopReload = cancel
	r := &reloader{table: p.table, users: p.userRules, logger: p.logger}
	if p.file.mayChange() {
		r.add(&contentWatch{
			watched: &p.file.watched, what: "the configuration file", name: p.file.path, glance: p.file.glance,
			parse:  func(seen glance) (*parsed, error) { return a.readChanged(p, seen) },
			reload: func(content *parsed) error { return a.reload(p, content) },
		})
	}
	for _, s := range p.sources {
		r.add(&contentWatch{
			watched: &s.watched, what: "the policy source", name: s.files.String(), glance: s.glance,
			parse:  s.parse,
			users:  func() []auth.UserRule { return s.users },
			reload: func(content *parsed) error { return a.reloadSource(p, s, content) },
		})
	}
	p.reloader = r
	p.reload.Go(func() {
		ticker := time.NewTicker(reloadInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				r.lookAround()
			}
		}
	})
}

// reloadSource puts a new content of a policy source in force.
func (a *App) reloadSource(p *parts, s *policySource, content *parsed) error {
	layers, users := s.layers, s.users
	s.layers, s.users = content.layers, content.users
	if err := a.replacePolicies(p); err != nil {
		s.layers, s.users = layers, users
		return err
	}
	s.adoptNotes(content.notes)
	s.adopt(content.data, false)
	p.logger.Info("policies reloaded",
		slog.String("file", s.files.String()), slog.Int("generation", s.current().generation))
	a.warn(p)
	a.warnRouted(p.logger)
	return nil
}

// replacePolicies puts the policies and then the rules about users of all sources in force, or changes nothing.
func (a *App) replacePolicies(p *parts) error {
	if p.userRules == nil {
		return p.table.Replace(a.allLayers(p.sources, p.fileLayer)...)
	}
	change, err := prepareUserRules(p.userRules, p.config.GetUsers().GetIssuers(), p.sources)
	if err != nil {
		return err
	}
	if err := p.table.Replace(a.allLayers(p.sources, p.fileLayer)...); err != nil {
		change.Discard()
		return err
	}
	change.Apply()
	return nil
}

// readChanged reads a new content, and checks that a program would start with it.
func (a *App) readChanged(p *parts, seen glance) (*parsed, error) {
	if seen.err != nil {
		return nil, seen.err
	}
	read, err := a.read(seen.data)
	if err != nil {
		return nil, err
	}
	if err := p.file.lost(seen.data, read); err != nil {
		return nil, err
	}
	content := &parsed{
		data: seen.data, layers: []policy.Layer{read.layer}, read: read,
		beyond: changedBeyondPolicies(read.config, p.config),
	}
	if content.beyond {
		err = a.try(read)
	}
	return content, err
}

// reload makes the policies of a new content take effect.
func (a *App) reload(p *parts, content *parsed) error {
	if err := p.table.Replace(a.allLayers(p.sources, content.read.layer)...); err != nil {
		return err
	}
	p.fileLayer = content.read.layer
	p.file.adopt(content.data, content.read, content.beyond)
	p.logger.Info("policies reloaded",
		slog.String("file", p.file.path), slog.Int("generation", p.file.current().generation))
	a.warn(p)
	if content.beyond {
		p.logger.Warn("the configuration file has changes outside of its policies; restart to apply them",
			slog.String("file", p.file.path))
	}
	return nil
}

// warn logs warnings about the policies of the served methods.
func (a *App) warn(p *parts) {
	a.mu.Lock()
	servers := a.servers
	a.mu.Unlock()
	warned := map[policy.Mistake]bool{} // a wide rule may surprise in many methods
	for _, s := range servers {
		for _, name := range s.methods() {
			m, err := p.table.Method(name)
			if err != nil {
				continue
			}
			for _, w := range m.Warnings() {
				if !warned[*w] {
					warned[*w] = true
					p.logger.Warn("the policy may surprise", slog.Any("warning", w))
				}
			}
		}
	}
}

// warnRouted warns of clients that were opened with another balancing or budget than the routes state now.
func (a *App) warnRouted(logger *slog.Logger) {
	for _, c := range a.allClients() {
		if ch := c.open.Load(); ch != nil && !ch.routed.Same(c.table().Destination()) {
			logger.Warn("the routes to a host state another balancing or retry budget; restart to apply them",
				slog.String("client", c.name), slog.String("host", c.meshHost()))
		}
	}
}

func changedBeyondPolicies(a, b *configv1.Config) bool {
	return !proto.Equal(withoutPolicies(a), withoutPolicies(b))
}

// withoutPolicies shares everything with c but the policies.
func withoutPolicies(c *configv1.Config) *configv1.Config {
	shared := new(configv1.Config)
	c.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Name() != "policies" {
			shared.ProtoReflect().Set(field, value)
		}
		return true
	})
	return shared
}

// try checks that a program like this one would start with a configuration. It runs the check of an App with the same
// options, servers and clients, starts nothing, and closes everything that it opened.
func (a *App) try(read reading) error {
	t := &App{settings: a.settings}
	t.logger = slog.New(slog.DiscardHandler)
	a.mu.Lock()
	for _, s := range a.servers {
		t.servers = append(t.servers, &Server{app: t, serverSettings: s.serverSettings, services: s.services})
	}
	for _, c := range a.clients {
		trial := &Client{app: t, clientSettings: c.clientSettings}
		trial.auth = sync.OnceValues(trial.makeAuth)
		t.clients = append(t.clients, trial)
	}
	a.mu.Unlock()
	t.setUp.Do(func() { t.setUpErr = t.assembleTrial(&a.parts, read) })
	return errors.Join(t.Check(), t.disposeTrial(&a.parts))
}

// assembleTrial makes the parts of a trial. If a section did not change, it uses the parts of the running App.
func (a *App) assembleTrial(running *parts, read reading) error {
	p := &a.parts
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	p.config, p.logger, p.transport = read.config, a.logger, a.transport
	p.file = &configFile{path: a.configFile(), stated: read.stated}
	p.telemetry, p.tracer, p.ring = running.telemetry, running.tracer, running.ring
	var err error
	p.sources, p.userRules = running.sources, running.userRules
	if !maps.Equal(read.config.GetPoliciesFrom(), running.config.GetPoliciesFrom()) ||
		read.config.GetCompat() != running.config.GetCompat() {
		p.userRules = nil
		keep(a.assembleSources(p))
		keep(p.assembleUserRules())
	} else if p.userRules != nil {
		change, err := prepareUserRules(p.userRules, p.config.GetUsers().GetIssuers(), p.sources)
		if keep(err); err == nil {
			change.Discard()
		}
	}
	p.table, err = a.newTable(p.sources, read.layer)
	keep(err)
	p.deadlines = policy.NewView(p.table, methodDeadline)
	p.keySets = slices.Clone(running.keySets)

	identity := read.config.GetIdentity()
	if proto.Equal(identity, running.config.GetIdentity()) || identity.GetEnroll() == configv1.Enroll_ENROLL_SELF {
		// A service that enrolls creates its key when it starts. A trial must not do this.
		p.identity, p.domain = running.identity, running.domain
	} else {
		keep(a.assembleIdentity(p))
	}
	p.workload.Store(p.identity)
	keep(p.assembleUsers())
	keep(p.assembleWorkloads())
	found := read.config.GetDiscovery()
	if a.driver != nil || proto.Equal(found, running.config.GetDiscovery()) {
		p.registry = running.registry
		keep(a.checkDiscovery(found))
	} else {
		keep(a.assembleDiscovery(p))
	}
	return errors.Join(errs...)
}

// disposeTrial closes the parts that assembleTrial and the check have made.
func (a *App) disposeTrial(running *parts) error {
	p := &a.parts
	var errs []error
	for _, c := range a.clients {
		errs = append(errs, c.tokens.close())
	}
	for _, s := range a.servers {
		if s.gate != nil {
			s.gate.Close()
		}
	}
	if p.ownsIdentity {
		errs = append(errs, p.identity.Close())
	}
	for _, set := range p.keySets[len(running.keySets):] {
		if !slices.ContainsFunc(running.keySets, func(r issuerKeys) bool { return r.keys == set.keys }) {
			errs = append(errs, set.keys.Close())
		}
	}
	for _, keeper := range p.keyTokens {
		errs = append(errs, keeper.Close())
	}
	if p.userRules != running.userRules {
		errs = append(errs, p.userRules.Close())
	}
	p.deadlines.Close()
	if p.registry != nil && p.registry != running.registry {
		errs = append(errs, p.registry.Close())
	}
	return errors.Join(errs...)
}
