package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-rpc/parley/discovery"
	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/interceptors/tracing"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/telemetry"
	"github.com/parley-rpc/parley/waterfall"
)

// parts are the parts of an App after its options and configuration have been read. Every part can be used, even if
// setting it up failed, so that Check continues and finds further mistakes. A part that failed is empty.
type parts struct {
	config    *configv1.Config
	unread    bool // the configuration is bad, so missing values are not reported
	undecided bool // the policies of a file are not in force, so methods without a policy are not reported
	file      *configFile
	sources   []*policySource // other files with policies
	fileLayer policy.Layer    // of the configuration file, as it is in force
	logger    *slog.Logger
	telemetry *telemetry.Telemetry
	tracer    *tracing.Tracer
	ring      *waterfall.Ring
	table     *policy.Table
	deadlines *policy.View[time.Duration]
	domain    principal.TrustDomain
	identity  *auth.Identity
	registry  *discovery.Registry
	measuring metric.Registration // nil without metrics

	users        []auth.ServerOption            // issuers of end users
	userRules    *auth.Users                    // what policy sources state about end users; nil where none can
	workloads    map[string][]auth.ServerOption // issuers of the callers of each server
	vouching     []placedIssuer                 // issuers of end users and of workloads
	keySets      []issuerKeys                   // of every issuer
	transport    http.RoundTripper              // for them; nil means their own
	keyTokens    []*tokens.Keeper               // with which they are fetched
	workload     atomic.Pointer[auth.Identity]  // the identity, for tokens that it asks for in the background
	ownsIdentity bool
	reloader     *reloader
	stopReload   context.CancelFunc
	reload       sync.WaitGroup
}

// prepare sets the parts up, once.
func (a *App) prepare() { a.setUp.Do(func() { a.setUpErr = a.assemble() }) }

// assembleNothing replaces assemble in an App that was closed before its parts were needed.
func (a *App) assembleNothing() {
	a.setUpErr = ErrClosed
	a.parts = parts{
		config: new(configv1.Config),
		file:   new(configFile),
		logger: a.logger,
		tracer: tracing.New(),
		table:  policy.FromProto(),
	}
	a.parts.deadlines = policy.NewView(a.parts.table, methodDeadline)
}

func (a *App) assemble() error {
	p := &a.parts
	var errs []error
	keep := func(err error) { errs = append(errs, err) }

	p.file = &configFile{path: a.configFile(), fixed: a.configContent}
	var content glance
	if p.file.path != "" {
		content = p.file.glance()
	}
	read, err := reading{config: new(configv1.Config)}, content.err
	if err == nil {
		read, err = a.read(content.data)
	}
	keep(errors.Join(a.checkConfigFiles(), err))
	p.config, p.unread = read.config, err != nil
	p.file.adopt(content.data, read, false)

	p.logger, p.transport = a.Logger(), a.transport
	keep(a.assembleTelemetry(p))

	sourceErr := a.assembleSources(p)
	keep(sourceErr)
	p.fileLayer = read.layer
	p.table, err = a.newTable(p.sources, read.layer)
	keep(err)
	p.undecided = p.unread || sourceErr != nil || err != nil
	p.deadlines = policy.NewView(p.table, methodDeadline)

	keep(a.assembleIdentity(p))
	p.workload.Store(p.identity)
	keep(p.assembleUserRules())
	keep(p.assembleUsers())
	keep(p.assembleWorkloads())
	keep(a.assembleDiscovery(p))
	keep(a.assembleMetrics(p))
	if warning := p.lifecycle().warning(); warning != "" {
		p.logger.Warn(warning)
	}
	p.logNotes()
	if p.file.mayChange() || len(p.sources) > 0 {
		a.startReload(p)
	}
	return errors.Join(errs...)
}

func (a *App) assembleTelemetry(p *parts) error {
	options := []telemetry.Option{telemetry.WithEnviron(a.environ), telemetry.WithLogger(p.logger)}
	if p.ring = a.ring; p.ring == nil && a.surfaceAddresses().admin != "" {
		var options []waterfall.Option
		if a.development {
			options = append(options, waterfall.WithMessages())
		}
		p.ring = waterfall.NewRing(ringCalls, options...)
	}
	if p.ring != nil {
		options = append(options, telemetry.WithSpanProcessor(openRing{p.ring}))
	}
	if a.development {
		options = append(options, telemetry.WithKeepUnsampled())
	}
	var err error
	p.telemetry, err = telemetry.New(context.Background(), a.name, options...)
	tracer := []tracing.Option{tracing.WithLogger(p.logger)}
	if p.telemetry != nil {
		tracer = append(tracer,
			tracing.WithTracerProvider(p.telemetry.TracerProvider()),
			tracing.WithMeterProvider(p.telemetry.MeterProvider()),
			tracing.WithPropagator(p.telemetry.Propagator()))
	}
	if a.tracerProvider != nil {
		tracer = append(tracer, tracing.WithTracerProvider(a.tracerProvider))
	}
	if a.meterProvider != nil {
		tracer = append(tracer, tracing.WithMeterProvider(a.meterProvider))
	}
	p.tracer = tracing.New(tracer...)
	return errors.Join(err, p.tracer.Check())
}

// meters returns the meter provider of the App, which may be nil.
func (a *App) meters() metric.MeterProvider {
	switch {
	case a.meterProvider != nil:
		return a.meterProvider
	case a.parts.telemetry != nil:
		return a.parts.telemetry.MeterProvider()
	default:
		return nil
	}
}

// openRing is a ring that the App does not close, because other Apps may share it and its calls may be read later.
type openRing struct{ *waterfall.Ring }

func (openRing) Shutdown(context.Context) error { return nil }

// assembleSources reads the files that options and the configuration name.
func (a *App) assembleSources(p *parts) error {
	p.sources = nil
	named, err := a.namedFiles(p)
	errs := []error{err, checkCompat(p.config)}
	for _, files := range slices.Concat(a.policyFiles, named) {
		if slices.ContainsFunc(p.sources, func(s *policySource) bool { return s.files.String() == files.String() }) {
			errs = append(errs, fmt.Errorf("policies from %v: two policy sources have this name; give it once", files))
			continue
		}
		s := &policySource{files: files}
		p.sources = append(p.sources, s)
		seen := s.glance()
		if seen.err == nil {
			s.layers, s.notes, seen.err = files.Parse(seen.data)
		}
		if seen.err == nil {
			s.users, seen.err = userRulesOf(files, seen.data)
		}
		if seen.err != nil {
			errs = append(errs, seen.err)
			continue
		}
		s.adopt(seen.data, false)
	}
	return errors.Join(errs...)
}

// namedFiles makes the files that policies_from names, by their format.
func (a *App) namedFiles(p *parts) ([]policy.Files, error) {
	paths := p.config.GetPoliciesFrom()
	var named []policy.Files
	var errs []error
	for _, format := range slices.Sorted(maps.Keys(paths)) {
		open, ok := a.policyFormats[format]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("policies_from.%s: the program knows no such format; it has %s, and others "+
				"WithPolicyFormat", format, list(slices.Collect(maps.Keys(a.policyFormats)))))
		case paths[format] == "":
			errs = append(errs, fmt.Errorf("policies_from.%s: the path is empty; name a folder or a file", format))
		default:
			files, err := withCompat(p.config, format, open(paths[format]), p.logger)
			errs = append(errs, err)
			named = append(named, files)
		}
	}
	return named, errors.Join(errs...)
}

// logNotes logs what the policy sources state and nothing here enforces.
func (p *parts) logNotes() {
	for _, s := range p.sources {
		for _, note := range s.currentNotes() {
			p.logger.Info("a policy source states what is not enforced here", slog.Any("note", note))
		}
	}
}

// allLayers are the layers of code, of the other files with policies, and of the configuration file.
func (a *App) allLayers(sources []*policySource, file policy.Layer) []policy.Layer {
	layers := a.codeLayers()
	for _, s := range sources {
		layers = append(layers, s.layers...)
	}
	return append(layers, file)
}

// newTable makes the table of policies with the layers of files. If a layer is wrong, it returns the error and a table
// without that layer, so that the other layers can be checked.
func (a *App) newTable(sources []*policySource, file policy.Layer) (*policy.Table, error) {
	table, err := policy.New(a.allLayers(sources, file)...)
	if err == nil {
		return table, nil
	}
	if table, codeErr := policy.New(a.codeLayers()...); codeErr == nil {
		return table, err
	}
	if table, builtInErr := policy.New(infrastructurePolicy()); builtInErr == nil {
		return table, err
	}
	return policy.FromProto(), err
}

// codeLayers returns the policies that are stated in code.
func (a *App) codeLayers() []policy.Layer {
	return append([]policy.Layer{infrastructurePolicy()}, a.layers...)
}

// infrastructurePolicy returns the policy of the methods that the App itself registers: any caller may call the health
// service, and any proven peer may use reflection.
func infrastructurePolicy() policy.Layer {
	decided := auth.HealthPolicy()
	maps.Copy(decided, auth.ReflectionPolicy())
	return policy.CodeAt("built in", decided)
}

// dispose closes the parts that assemble made, in reverse order, and returns all errors.
func (a *App) dispose(ctx context.Context) error {
	p := &a.parts
	var errs []error
	if p.stopReload != nil {
		p.stopReload()
		p.reload.Wait()
	}
	if p.registry != nil {
		errs = append(errs, p.registry.Close())
	}
	if p.ownsIdentity {
		errs = append(errs, p.identity.Close())
	}
	for _, set := range p.keySets {
		errs = append(errs, set.keys.Close())
	}
	errs = append(errs, p.userRules.Close())
	for _, keeper := range p.keyTokens {
		errs = append(errs, keeper.Close())
	}
	p.deadlines.Close()
	if p.telemetry != nil {
		errs = append(errs, p.telemetry.Shutdown(ctx))
	}
	if p.measuring != nil {
		errs = append(errs, p.measuring.Unregister())
	}
	return errors.Join(errs...)
}
