package framework

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/admin"
)

// surfaceAddresses are the addresses of the operator's surfaces. A surface with an empty address is disabled.
type surfaceAddresses struct{ probes, metrics, admin string }

// surface is one of the operator's HTTP listeners.
type surface struct {
	name     string
	listener net.Listener
	server   *http.Server
	closing  func() // ends requests that would delay the stop
}

func (a *App) surfaceAddresses() surfaceAddresses {
	conf := a.parts.config.GetSurfaces()
	return surfaceAddresses{conf.GetProbes(), conf.GetMetrics(), conf.GetAdmin()}
}

func (a *App) checkSurfaces() error {
	addrs := a.surfaceAddresses()
	if addrs.admin == "" {
		return nil
	}
	if err := admin.CheckLoopback(addrs.admin); err != nil {
		return fmt.Errorf(
			"surfaces.admin: %w; the page shows internals and has no login, so listen on 127.0.0.1 and use a tunnel to reach it",
			err,
		)
	}
	return nil
}

// openSurfaces binds the enabled surfaces. On an error it also returns the surfaces that are already bound.
func (a *App) openSurfaces(ctx context.Context, r *run) ([]*surface, error) {
	addrs := a.surfaceAddresses()
	var surfaces []*surface
	var errs []error
	open := func(name, addr string, handler http.Handler, closing func()) {
		if addr == "" {
			return
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			errs = append(errs, fmt.Errorf("surfaces.%s: %w; choose another address, or \"\" to disable it", name, err))
			return
		}
		r.logger.Info("listening", slog.String("surface", name), slog.String("address", l.Addr().String()))
		surfaces = append(
			surfaces,
			&surface{name, l, &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}, closing},
		)
	}
	open("probes", addrs.probes, admin.Probes(func() bool { return true }, a.ready.Load), func() {})
	open("metrics", addrs.metrics, admin.Metrics(a.parts.telemetry.MetricsHandler()), func() {})
	page := a.adminHandler(r)
	open("admin", addrs.admin, page, page.Close)
	return surfaces, errors.Join(errs...)
}

func (s *surface) serve(fail func(error)) {
	go func() {
		if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("surfaces.%s: %w", s.name, err))
		}
	}()
}

func (s *surface) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.closing()
	if err := s.server.Shutdown(ctx); err != nil {
		return s.server.Close()
	}
	return nil
}
