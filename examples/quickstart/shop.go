package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parley-rpc/parley/discovery/mem"
	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/waterfall"
)

const trustDomain = "shop.example"

type shopOptions struct {
	dir       string // fresh, for keys and certificates
	adminAddr string // where orders shows its live page; "" for nowhere
}

// shop is every service of the example. In real life each is a process of its own; nothing here depends on their
// sharing one, but the discovery engine and the ring of recent calls.
type shop struct {
	options  shopOptions
	domain   principal.TrustDomain
	engine   *mem.Engine
	ring     *waterfall.Ring
	troubles *troubles

	orders  *service
	catalog *service
	replica [2]*service
	names   map[string]string // replicas by address

	payments paymentsv1.PaymentsServiceClient // as orders calls it
	started  []*service
}

// service is one running App.
type service struct {
	app      *framework.App
	server   *framework.Server
	identity *auth.Identity
	stop     context.CancelFunc
	ended    chan error
}

// openShop makes every key first, then starts the services.
func openShop(ctx context.Context, options shopOptions) (*shop, error) {
	domain, err := principal.ParseTrustDomain(trustDomain)
	if err != nil {
		return nil, err
	}
	s := &shop{
		options:  options,
		domain:   domain,
		engine:   mem.New(),
		ring:     waterfall.NewRing(500, waterfall.WithMessages()),
		troubles: &troubles{},
		names:    map[string]string{},
	}
	for _, name := range []string{"orders", "catalog", "payments-1", "payments-2", "warehouse"} {
		if err := s.enroll(name); err != nil {
			return nil, err
		}
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *shop) open(ctx context.Context) error {
	for i := range s.replica {
		name := fmt.Sprintf("payments-%d", i+1)
		replica := s.service("payments", name)
		replica.server = replica.app.Server("127.0.0.1:0", framework.WithReflection())
		paymentsv1.RegisterPaymentsServiceServer(replica.server, &payments{replica: name, troubles: s.troubles})
		if err := s.start(ctx, replica); err != nil {
			return err
		}
		s.names[replica.server.Addr().String()] = name
		s.replica[i] = replica
	}
	var surfaces []framework.Option
	if s.options.adminAddr != "" {
		surfaces = append(surfaces, framework.WithEnviron(append(os.Environ(), "PARLEY_SURFACES_ADMIN="+s.options.adminAddr)))
	}
	s.orders = s.service("orders", "orders", surfaces...)
	s.payments = paymentsv1.NewPaymentsServiceClient(s.orders.app.Client("payments"))
	s.catalog = s.service("catalog", "catalog")
	return errors.Join(s.start(ctx, s.orders), s.start(ctx, s.catalog))
}

// keyFile is where a workload's private key is; only the trust directory is shared.
func (s *shop) keyFile(workload string) string {
	return filepath.Join(s.options.dir, "keys", workload+".jwk")
}

// enroll makes the key of a workload and publishes its public half in the trust directory. Replicas of one service have
// keys of their own and one ID.
func (s *shop) enroll(workload string) error {
	id, err := s.domain.ID(serviceOf(workload))
	if err != nil {
		return err
	}
	identity := auth.TrustDir(s.options.dir, id, auth.WithKeyFile(s.keyFile(workload)), auth.WithEnroll())
	return errors.Join(identity.Check(), identity.Close())
}

func serviceOf(workload string) string {
	if workload == "payments-1" || workload == "payments-2" {
		return "payments"
	}
	return workload
}

// service makes the App of one workload.
func (s *shop) service(name, workload string, options ...framework.Option) *service {
	id, err := s.domain.ID(name)
	if err != nil {
		panic(err) // the names stand in this file
	}
	identity := auth.TrustDir(s.options.dir, id, auth.WithKeyFile(s.keyFile(workload)))
	base := []framework.Option{
		framework.WithIdentity(identity),
		framework.WithDiscovery(s.engine.Driver()),
		framework.WithDevelopment(),
		framework.WithWaterfall(s.ring),
		framework.WithLogger(slog.New(slog.DiscardHandler)),
	}
	return &service{app: framework.New(name, append(base, options...)...), identity: identity}
}

// start runs a service and returns when it is ready.
func (s *shop) start(ctx context.Context, svc *service) error {
	ctx, svc.stop = context.WithCancel(context.WithoutCancel(ctx))
	svc.ended = make(chan error, 1)
	go func() { svc.ended <- svc.app.Run(ctx) }()
	select {
	case <-svc.app.Ready():
		s.started = append(s.started, svc)
		return nil
	case err := <-svc.ended:
		return errors.Join(err, svc.identity.Close())
	}
}

// end stops a service and returns what its Run returned.
func (s *shop) end(svc *service) error {
	svc.stop()
	err := <-svc.ended
	svc.ended <- nil // ending twice is harmless
	return errors.Join(err, svc.identity.Close())
}

func (s *shop) close() error {
	var errs []error
	for _, svc := range slices.Backward(s.started) {
		errs = append(errs, s.end(svc))
	}
	return errors.Join(errs...)
}

// within bounds a scene's call.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}
