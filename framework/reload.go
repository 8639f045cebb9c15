package framework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-rpc/parley/admin"
	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/policy"
)

// configFile is the configuration file of an App, and the content that is in force.
type configFile struct {
	path string // "" without a file

	mu     sync.Mutex
	data   []byte // the content that is in force
	stated []statement
	state  configState
}

// configState is the state of the configuration file: the content that is in force, and the reason why a newer content
// is not.
type configState struct {
	generation int       // the number of contents that have been in force, including the content at the start
	since      time.Time // when the content took effect
	failure    error     // why the present content of the file is not in force, or nil
	failing    time.Time // since when
}

// glance is the result of one look at the file.
type glance struct {
	data []byte
	err  error
}

func (g glance) equal(other glance) bool {
	if g.err != nil || other.err != nil {
		return g.err != nil && other.err != nil && g.err.Error() == other.err.Error()
	}
	return bytes.Equal(g.data, other.data)
}

func (f *configFile) glance() glance {
	data, err := os.ReadFile(f.path)
	if err != nil {
		err = fmt.Errorf("WithConfigFile(%q): %w", f.path, withRemedy(err))
	}
	return glance{data, err}
}

// adopt records that data is in force.
func (f *configFile) adopt(data []byte, stated []statement) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data, f.stated = data, stated
	f.state = configState{generation: f.state.generation + 1, since: time.Now()}
}

// keep records why the file is not in force. A nil error means that it is in force again. It reports whether the state
// has changed.
func (f *configFile) keep(err error) (news bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.state.failure
	f.state.failure = err
	switch {
	case err == nil:
		f.state.failing = time.Time{}
		return was != nil
	case was == nil:
		f.state.failing = time.Now()
		return true
	}
	return was.Error() != err.Error()
}

func (f *configFile) current() configState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// states reports whether the configuration has a value at the path.
func (f *configFile) states(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.stated, func(s statement) bool { return s.path == path })
}

// describe writes the paths of the configured values and the places that state them. It does not write the values,
// because they can be read in their places.
func (f *configFile) describe(b *bytes.Buffer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.stated) == 0 {
		return
	}
	b.WriteString("configuration\n")
	for _, s := range f.stated {
		fmt.Fprintf(b, "  %s  %s\n", s.path, s.place)
	}
}

// rows show the file on the admin page.
func (f *configFile) rows() []admin.Row {
	if f.path == "" {
		return nil
	}
	state := f.current()
	row := admin.Row{State: admin.Good, Cells: []string{
		f.path, fmt.Sprint(state.generation), age(time.Since(state.since)) + " ago", "in force",
	}}
	if state.failure != nil {
		row.State = admin.Bad
		row.Cells[3] = "not in force for " + age(time.Since(state.failing)) + ": " + state.failure.Error()
	}
	return []admin.Row{row}
}

// startReload starts checking the file every reloadInterval.
func (a *App) startReload(p *parts) {
	ctx, cancel := context.WithCancel(context.Background())
	p.stopReload = cancel
	p.reload.Go(func() {
		ticker := time.NewTicker(reloadInterval)
		defer ticker.Stop()
		started := glance{data: p.file.data}
		w := configWatch{app: a, parts: p, seen: started, judged: started}
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				w.look(p.file.glance())
			}
		}
	})
}

// configWatch decides when a new content of the file takes effect. Its stricter policies do at the first look. The rest
// does when two looks in a row have seen the content, so that a file that is being written neither loosens a policy for
// a moment nor ends streams.
type configWatch struct {
	app      *App
	parts    *parts
	seen     glance // the result of the last look
	judged   glance // the last content that was accepted or refused
	narrowed bool   // by a content that only one look has seen
}

func (w *configWatch) look(now glance) {
	file := w.parts.file
	settled := now.equal(w.seen)
	w.seen = now
	if now.err == nil && bytes.Equal(now.data, file.data) {
		w.judged = now
		if w.narrowed && !settled {
			return
		}
		w.widen()
		if file.keep(nil) {
			w.parts.logger.Info("the content of the configuration file is in force again", slog.String("file", file.path))
		}
		return
	}
	if now.equal(w.judged) {
		return
	}
	if !settled {
		w.narrow(now)
		return
	}
	w.judged = now
	err := w.app.reload(w.parts, now)
	if err == nil {
		w.narrowed = false
		return
	}
	if file.keep(err) {
		state := file.current()
		w.parts.logger.Error("the configuration file is bad; the previous content stays in force",
			slog.String("file", file.path), slog.Any("error", err),
			slog.Int("generation", state.generation), slog.Time("since", state.since))
	}
}

// narrow tightens the policies with a content that one look has seen, if a program would start with it. Mistakes in it,
// and contradictions with the policies in force, are handled at the next look.
func (w *configWatch) narrow(now glance) {
	read, _, err := w.app.readChanged(w.parts, now)
	if err != nil || w.parts.table.Narrow(read.layer) != nil {
		return
	}
	w.narrowed = true
	w.parts.logger.Info("the configuration file has changed; what it tightens is in force, and the rest will be when "+
		"another look has seen the same", slog.String("file", w.parts.file.path))
}

// widen reverts narrow.
func (w *configWatch) widen() {
	if !w.narrowed {
		return
	}
	if err := w.parts.table.Narrow(); err != nil {
		w.parts.logger.Error("the policies stay as tight as the last configuration file", slog.Any("error", err))
		return
	}
	w.narrowed = false
}

// readChanged reads a new content, and checks that a program would start with it. Beyond reports whether other sections
// than the policies have changed.
func (a *App) readChanged(p *parts, seen glance) (read reading, beyond bool, err error) {
	if seen.err != nil {
		return reading{}, false, seen.err
	}
	if read, err = a.read(seen.data); err != nil {
		return reading{}, false, err
	}
	if beyond = changedBeyondPolicies(read.config, p.config); beyond {
		err = a.try(read)
	}
	return read, beyond, err
}

// reload makes the policies of a new content take effect, if a program would start with it.
func (a *App) reload(p *parts, seen glance) error {
	read, beyond, err := a.readChanged(p, seen)
	if err != nil {
		return err
	}
	if err := p.table.Replace(append(a.codeLayers(), read.layer)...); err != nil {
		return err
	}
	p.file.adopt(seen.data, read.stated)
	p.logger.Info("policies reloaded",
		slog.String("file", p.file.path), slog.Int("generation", p.file.current().generation))
	a.warn(p)
	if beyond {
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

func changedBeyondPolicies(a, b *configv1.Config) bool {
	a, b = proto.CloneOf(a), proto.CloneOf(b)
	a.Policies, b.Policies = nil, nil
	return !proto.Equal(a, b)
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
	p.table, err = a.newTable(read.layer)
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
	p.deadlines.Close()
	if p.registry != nil && p.registry != running.registry {
		errs = append(errs, p.registry.Close())
	}
	return errors.Join(errs...)
}
