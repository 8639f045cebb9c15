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
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
	"github.com/parley-rpc/parley/policy"
)

// envPrefix begins the environment variables that override the configuration file.
const envPrefix = "PARLEY"

// configFile is the configuration file of an App; an empty path is an empty file.
type configFile struct {
	path   string
	last   []byte
	stated atomic.Pointer[[]statement]
}

// statement says where a value of the configuration was stated.
type statement struct{ path, place string }

// describe lists the values that were stated, and where. It shows no values: they stand in their places.
func (f *configFile) describe(b *bytes.Buffer) {
	stated := f.stated.Load()
	if stated == nil || len(*stated) == 0 {
		return
	}
	b.WriteString("configuration\n")
	for _, s := range *stated {
		fmt.Fprintf(b, "  %s  %s\n", s.path, s.place)
	}
}

// read reads the file and the environment over it. The configuration that it returns is never nil. The layer holds the
// policies.
func (f *configFile) read(environ []string) (*configv1.Config, policy.Layer, error) {
	config := new(configv1.Config)
	places := protoyaml.Places{}
	if f.path != "" {
		data, err := os.ReadFile(f.path)
		if err != nil {
			return config, policy.Layer{}, fmt.Errorf("WithConfigFile(%q): %w", f.path, err)
		}
		f.last = data
		if places, err = protoyaml.Unmarshal(f.path, data, config, mayBeEmpty()...); err != nil {
			return new(configv1.Config), policy.Layer{}, err
		}
	}
	if err := refusePolicies(environ); err != nil {
		return config, policy.Layer{}, err
	}
	overridden, err := protoyaml.ApplyEnv(envPrefix, environ, config)
	if err != nil {
		return config, policy.Layer{}, err
	}
	stated := statements(places, overridden)
	f.stated.Store(&stated)
	layer := policy.File(f.path, config.GetPolicies(), func(method string) int { return places.Line("policies", method) })
	return config, layer, checkValues(config)
}

// mayBeEmpty lists the lists that say something when they are empty.
func mayBeEmpty() []protoreflect.FullName {
	return []protoreflect.FullName{
		"parley.config.v1.UserIssuer.required_claims",
		"parley.config.v1.WorkloadIssuer.required_claims",
	}
}

// states reports whether the value at a path was stated.
func (f *configFile) states(path string) bool {
	stated := f.stated.Load()
	return stated != nil && slices.ContainsFunc(*stated, func(s statement) bool { return s.path == path })
}

// statements are the places of the file, with those of the environment instead where it overrides.
func statements(file, environment protoyaml.Places) []statement {
	all := maps.Collect(file.All())
	maps.Insert(all, environment.All())
	var stated []statement
	for _, path := range slices.Sorted(maps.Keys(all)) {
		stated = append(stated, statement{path, all[path]})
	}
	return stated
}

// refusePolicies refuses policies in the environment: a variable takes the place of what the file says, and so could
// loosen it.
func refusePolicies(environ []string) error {
	var errs []error
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, envPrefix+"_POLICIES_") {
			errs = append(
				errs,
				fmt.Errorf(
					"env %s: policies cannot be stated in the environment, which overrides the file and could loosen it; state them in the file",
					name,
				),
			)
		}
	}
	return errors.Join(errs...)
}

// changed reports whether the file differs from what was read last.
func (f *configFile) changed() bool {
	data, err := os.ReadFile(f.path)
	return err == nil && !bytes.Equal(data, f.last)
}

// checkValues checks what the schema cannot.
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
	} {
		if d.value.AsDuration() < 0 {
			errs = append(errs, fmt.Errorf("%s: %s is negative; 0s means not to wait", d.path, d.value.AsDuration()))
		}
	}
	return errors.Join(errs...)
}

// checkSections finds servers in the configuration that the program does not have. A client cannot be missed: it may be
// made later.
func (a *App) checkSections(servers []*Server) error {
	var errs []error
	var names []string
	for _, s := range servers {
		if s.service != "" {
			names = append(names, s.service)
		}
	}
	for name := range a.parts.config.GetServers() {
		if !slices.Contains(names, name) {
			errs = append(
				errs,
				fmt.Errorf("servers.%s: no server of this program has that service name; it has %s", name, list(names)),
			)
		}
	}
	return errors.Join(errs...)
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// startReload reads the policies of the file again whenever it changes.
func (a *App) startReload(p *parts) {
	ctx, cancel := context.WithCancel(context.Background())
	p.stopReload = cancel
	p.reload.Go(func() {
		ticker := time.NewTicker(reloadInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if p.file.changed() {
					a.reloadPolicies(p)
				}
			}
		}
	})
}

// reloadPolicies puts the file's policies in force, or keeps the last good ones and says why.
func (a *App) reloadPolicies(p *parts) {
	config, layer, err := p.file.read(a.environ)
	if err == nil {
		err = p.table.Replace(append(a.codeLayers(), layer)...)
	}
	if err != nil {
		p.logger.Error(
			"the configuration file is bad; the last good policies stay in force",
			slog.String("file", p.file.path),
			slog.Any("error", err),
		)
		return
	}
	p.logger.Info("policies reloaded", slog.String("file", p.file.path))
	rest, was := proto.CloneOf(config), proto.CloneOf(p.config)
	rest.Policies, was.Policies = nil, nil
	if !proto.Equal(rest, was) {
		p.logger.Warn(
			"the configuration file changed beyond its policies; restart to apply that",
			slog.String("file", p.file.path),
		)
	}
}

// lifecycleTimes are the bounds of the stop.
type lifecycleTimes struct{ announce, quiet, grace, flush time.Duration }

func (p *parts) lifecycle() lifecycleTimes {
	times := lifecycleTimes{defaultAnnounce, defaultQuiet, defaultGrace, defaultFlush}
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
	return times
}

// config is the server's section of the configuration, an empty one where there is none.
func (s *Server) config() *configv1.Server {
	if conf := s.app.parts.config.GetServers()[s.service]; conf != nil {
		return conf
	}
	return new(configv1.Server)
}

// config is the client's section of the configuration, an empty one where there is none.
func (c *Client) config() *configv1.Client {
	if conf := c.app.parts.config.GetClients()[c.name]; conf != nil {
		return conf
	}
	return new(configv1.Client)
}
