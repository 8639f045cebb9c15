package framework

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/issuerconfig"
	"github.com/parley-rpc/parley/internal/protoyaml"
	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
	"github.com/parley-rpc/parley/internal/stated"
	"github.com/parley-rpc/parley/policy"
)

// envPrefix is the prefix of the environment variables that override the configuration file.
const envPrefix = "PARLEY"

// read reads data, the content of the configuration file, and then the environment, which overrides it.
func (a *App) read(data []byte) (reading, error) {
	config, places := new(configv1.Config), protoyaml.Places{}
	path := a.configFile()
	if path != "" {
		var err error
		if places, err = protoyaml.Unmarshal(path, data, config, issuerconfig.MayBeEmpty()...); err != nil {
			return reading{config: new(configv1.Config)}, err
		}
		if err := checkWhole(data); err != nil {
			return reading{config: config}, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := refusePolicies(a.environ); err != nil {
		return reading{config: config}, err
	}
	a.nameEntries(config)
	overridden, err := protoyaml.ApplyEnv(envPrefix, a.environ, config)
	if err != nil {
		return reading{config: config}, err
	}
	line := func(method string) int { return places.Line("policies", method) }
	return reading{
		config: config,
		layer:  policy.File(path, config.GetPolicies(), line),
		stated: sync.OnceValue(func() []statement { return statements(places, overridden) }),
		keyed:  places.Of("policies") != "",
	}, checkValues(config)
}

// checkWhole refuses an emptied file, and a file that was cut after a key. Both are valid YAML.
func checkWhole(data []byte) error {
	last := ""
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' && line != "---" && line != "..." {
			last = line
		}
	}
	switch {
	case last == "":
		return errors.New("the file is empty, and an emptied file must not count as a configuration; " +
			"set a value, or remove the option")
	case strings.HasSuffix(last, ":"):
		return fmt.Errorf("the file ends after %q and seems to be cut; write {} for an empty section", last)
	}
	return nil
}

// configFile returns the path of the configuration file, or "" if there is none.
func (a *App) configFile() string {
	if len(a.configFiles) == 0 {
		return ""
	}
	return a.configFiles[0]
}

func (a *App) checkConfigFiles() error {
	if len(a.configFiles) < 2 {
		return nil
	}
	return fmt.Errorf("the configuration is given as %s; one file holds the whole configuration, so keep one",
		strings.Join(a.configFiles, " and "))
}

// nameEntries adds the entries of clients and servers for which the environment has values. A variable cannot have the
// exact name, because it has no dashes and dots, but the names are known here.
func (a *App) nameEntries(config *configv1.Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.clients {
		if config.GetClients()[c.name] == nil && a.environNames("CLIENTS", c.name) {
			if config.Clients == nil {
				config.Clients = map[string]*configv1.Client{}
			}
			config.Clients[c.name] = new(configv1.Client)
		}
	}
	for _, s := range a.servers {
		if config.GetServers()[s.service] == nil && a.environNames("SERVERS", s.service) {
			if config.Servers == nil {
				config.Servers = map[string]*configv1.Server{}
			}
			config.Servers[s.service] = new(configv1.Server)
		}
	}
}

// environNames reports whether a variable has a value for an entry of the section.
func (a *App) environNames(section, entry string) bool {
	if entry == "" {
		return false
	}
	prefix := strings.Join([]string{envPrefix, section, protoyaml.Spell(entry), ""}, "_")
	return slices.ContainsFunc(a.environ, func(e string) bool { return strings.HasPrefix(e, prefix) })
}

// statements returns the places of all values. If the environment overrides a value of the file, it is the place in the
// environment.
func statements(file, environment protoyaml.Places) []statement {
	all := maps.Collect(file.All())
	maps.Insert(all, environment.All())
	var stated []statement
	for _, path := range slices.Sorted(maps.Keys(all)) {
		stated = append(stated, statement{path, all[path]})
	}
	return stated
}

// refusePolicies refuses policies in the environment. A variable replaces the value of the file, so it could loosen a
// policy.
func refusePolicies(environ []string) error {
	var errs []error
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, envPrefix+"_POLICIES_") {
			errs = append(
				errs,
				fmt.Errorf(
					"env %s: policies cannot be stated in the environment, which overrides the file and could loosen it; "+
						"state them in the file",
					name,
				),
			)
		}
	}
	return errors.Join(errs...)
}

// checkValues checks the rules that the schema cannot express.
func checkValues(config *configv1.Config) error {
	l := config.GetLifecycle()
	var errs []error
	for _, d := range []struct {
		path  string
		value *durationpb.Duration
	}{
		{"lifecycle.announce", l.GetAnnounce()},
		{"lifecycle.quiet", l.GetQuiet()},
		{"lifecycle.grace", l.GetGrace()},
		{"lifecycle.flush", l.GetFlush()},
		{"lifecycle.total", l.GetTotal()},
	} {
		if d.value.AsDuration() < 0 {
			errs = append(errs, fmt.Errorf("%s: %s is negative; use 0s for no wait", d.path, d.value.AsDuration()))
		}
	}
	return errors.Join(errs...)
}

// checkServerSections returns an error for each server in the configuration that the program does not have.
func (a *App) checkServerSections(servers []*Server) error {
	var served []string
	for _, s := range servers {
		if s.service != "" {
			served = append(served, s.service)
		}
	}
	return checkSections("servers", a.parts.config.GetServers(), served,
		"no server of this program has that service name; correct the name, remove the section, or see WithServiceName")
}

// checkClientSections returns an error for each client in the configuration that the program does not have.
func (a *App) checkClientSections(clients []*Client) error {
	called := make([]string, 0, len(clients))
	for _, c := range clients {
		called = append(called, c.name)
	}
	return checkSections("clients", a.parts.config.GetClients(), called,
		"no client of this program has that name; correct the name, remove the section, or make the client before Run, "+
			"or before the first call where there is no Run")
}

// checkFirstCall does the same for a program without Run. It checks once, at the first call.
func (a *App) checkFirstCall() error {
	a.mu.Lock()
	stage, clients := a.stage, a.clients
	a.mu.Unlock()
	if stage != stageBuilt {
		return nil // Run has checked
	}
	a.firstCall.Do(func() { a.firstCallErr = a.checkClientSections(clients) })
	return a.firstCallErr
}

// checkSections returns an error for each unknown name in a section of the configuration.
func checkSections[T any](section string, stated map[string]T, known []string, problem string) error {
	known = slices.Sorted(slices.Values(known))
	known = slices.Compact(known)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(stated)) {
		if _, found := slices.BinarySearch(known, name); found {
			continue
		}
		hint := "it has " + list(known)
		if near := nearest.Of(name, known); near != "" {
			hint = fmt.Sprintf("did you mean %s.%s?", section, near)
		}
		errs = append(errs, fmt.Errorf("%s.%s: %s; %s", section, name, problem, hint))
	}
	return errors.Join(errs...)
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// atPlace returns an error of another package, which was told what the file states at place, for the reader of the
// file.
func atPlace(place string, err error) error {
	var errs []error
	for _, e := range stated.Leaves(err) {
		errs = append(errs, stated.At(place, withRemedy(e)))
	}
	return errors.Join(errs...)
}

// withRemedy adds the remedy to an error about a file, unless the error has one.
func withRemedy(err error) error {
	switch {
	case strings.Contains(err.Error(), "; "):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w; put it there, or correct the path", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; let the user of this process read it", err)
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w; name a file", err)
	}
	return err
}

// lifecycleTimes are the time limits of the stop.
type lifecycleTimes struct{ announce, quiet, grace, flush, total time.Duration }

// longest returns the longest duration of a stop: the sum of the limits of the readiness check, the two changes in
// discovery and the wait between them, quiet, grace, the cancellation of calls, background work, the surfaces, and
// telemetry.
func (t lifecycleTimes) longest() time.Duration {
	return endTimeout + 2*stopEngineTimeout + t.announce + t.quiet + t.grace + cutWait + 2*endTimeout + t.flush
}

// warning returns a warning if the stop may take longer than the process has, or "".
func (t lifecycleTimes) warning() string {
	if t.longest() <= t.total {
		return ""
	}
	return fmt.Sprintf("a stop may take %v, and the process has %v (lifecycle.total) before it is killed; "+
		"lower lifecycle.grace, or raise terminationGracePeriodSeconds and lifecycle.total", t.longest(), t.total)
}

func (p *parts) lifecycle() lifecycleTimes {
	times := lifecycleTimes{defaultAnnounce, defaultQuiet, defaultGrace, defaultFlush, defaultTotal}
	l := p.config.GetLifecycle()
	if l.GetAnnounce() != nil {
		times.announce = l.GetAnnounce().AsDuration()
	}
	if l.GetQuiet() != nil {
		times.quiet = l.GetQuiet().AsDuration()
	}
	if l.GetGrace() != nil {
		times.grace = l.GetGrace().AsDuration()
	}
	if l.GetFlush() != nil {
		times.flush = l.GetFlush().AsDuration()
	}
	if l.GetTotal() != nil {
		times.total = l.GetTotal().AsDuration()
	}
	return times
}

// config returns the server's section of the configuration, which is empty if there is none.
func (s *Server) config() *configv1.Server {
	if conf := s.app.parts.config.GetServers()[s.service]; conf != nil {
		return conf
	}
	return new(configv1.Server)
}

// config returns the client's section of the configuration, which is empty if there is none.
func (c *Client) config() *configv1.Client {
	if conf := c.app.parts.config.GetClients()[c.name]; conf != nil {
		return conf
	}
	return new(configv1.Client)
}
