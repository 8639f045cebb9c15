package framework

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
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

// parts holds what an App is made of once its options and configuration have been read. Every part is usable, as an
// empty one if need be, even when setting up failed, so that Check goes on and finds more.
type parts struct {
	config    *configv1.Config
	unread    bool // the configuration is bad, so nothing can be missing in it
	file      *configFile
	logger    *slog.Logger
	telemetry *telemetry.Telemetry
	tracer    *tracing.Tracer
	ring      *waterfall.Ring
	table     *policy.Table
	deadlines *policy.View[time.Duration]
	domain    principal.TrustDomain
	identity  *auth.Identity
	registry  *discovery.Registry
	measuring metric.Registration // nil while nothing is measured

	users        []auth.ServerOption            // issuers of end users
	workloads    map[string][]auth.ServerOption // issuers of the callers of each server
	keySets      []issuerKeys                   // of every issuer
	transport    http.RoundTripper              // for them; nil means their own
	keyTokens    []*tokens.Keeper               // with which they are fetched
	workload     atomic.Pointer[auth.Identity]  // the identity, for tokens that it asks for in the background
	ownsIdentity bool
	stopReload   context.CancelFunc
	reload       sync.WaitGroup
}

// prepare sets the parts up, once.
func (a *App) prepare() { a.setUp.Do(func() { a.setUpErr = a.assemble() }) }

// assembleNothing takes the place of assemble in an App that was closed before its parts were needed.
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

	p.file = &configFile{path: a.configFile()}
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
	p.file.adopt(content.data, read.stated)

	p.logger, p.transport = a.Logger(), a.transport
	keep(a.assembleTelemetry(p))

	p.table, err = a.newTable(read.layer)
	keep(err)
	p.deadlines = policy.NewView(p.table, methodDeadline)

	keep(a.assembleIdentity(p))
	p.workload.Store(p.identity)
	keep(p.assembleUsers())
	keep(p.assembleWorkloads())
	keep(a.assembleDiscovery(p))
	keep(a.assembleMetrics(p))
	if warning := p.lifecycle().warning(); warning != "" {
		p.logger.Warn(warning)
	}
	if p.file.path != "" {
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

// meters is the meter provider of the App, which may be nil.
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

// openRing is a ring that outlives the App: others may share it, and its calls may be read after the end.
type openRing struct{ *waterfall.Ring }

func (openRing) Shutdown(context.Context) error { return nil }

// newTable makes the table of policies with the layer of the configuration file. Where a layer is wrong it returns a
// table without the wrong ones, so that the rest can be checked, and the error.
func (a *App) newTable(file policy.Layer) (*policy.Table, error) {
	table, err := policy.New(append(a.codeLayers(), file)...)
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

// codeLayers are the policies that do not come from the .proto files or the configuration.
func (a *App) codeLayers() []policy.Layer {
	return append([]policy.Layer{infrastructurePolicy()}, a.layers...)
}

// infrastructurePolicy decides who may call the methods that the App itself registers: anyone may ask for health, any
// proven peer may use reflection.
func infrastructurePolicy() policy.Layer {
	decided := auth.HealthPolicy()
	maps.Copy(decided, auth.ReflectionPolicy())
	return policy.CodeAt("built in", decided)
}

// dispose ends what assemble started, in reverse, and returns every error.
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
