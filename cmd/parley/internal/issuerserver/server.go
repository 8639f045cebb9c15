package issuerserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/parley-rpc/parley/framework"
	issuerv1 "github.com/parley-rpc/parley/gen/parley/issuer/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/issuer/bolt"
)

// Server is an issuer with its state, its listeners and its surfaces. Make one with [Open].
type Server struct {
	config  config
	logger  *slog.Logger
	records *bolt.Store
	state   *issuer.State
	self    *auth.Identity
	app     *framework.App
	serving serving
	web     net.Listener // the HTTPS listener
}

// Open opens the issuer of a folder and binds its HTTPS listener. Close it unless Run is called.
func Open(ctx context.Context, folder string, logger *slog.Logger) (s *Server, err error) {
	c, err := readConfig(folder)
	if err != nil {
		return nil, err
	}
	service, err := c.keyService()
	if err != nil {
		return nil, err
	}
	s = &Server{config: c, logger: logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.records, err = bolt.Open(c.path(stateName)); err != nil {
		return s, err
	}
	if s.state, err = issuer.OpenState(ctx, s.records, service); err != nil {
		return s, err
	}
	if s.self, err = identity(c, issuerName, auth.WithLogger(logger)); err != nil {
		return s, err
	}
	first, err := s.issuerOf(c)
	if err != nil {
		return s, err
	}
	s.serving.set(first)
	s.app = framework.New(issuerName, framework.WithIdentity(s.self), framework.WithLogger(logger),
		framework.WithEnviron(c.environ()))
	admin := s.app.Server(c.adminListen())
	issuerv1.RegisterAdminServiceServer(admin, &operators{name: c.file.GetIssuer(), state: s.state})
	s.app.ReadyWhen("state", s.ready)
	s.app.Background("https", s.serveWeb)
	if c.rotateAfter() > 0 {
		s.app.Background("rotation", s.rotate)
	}
	s.app.Background("configuration", s.followConfig)
	if err := s.app.Check(); err != nil {
		return s, err
	}
	s.web, err = new(net.ListenConfig).Listen(ctx, "tcp", c.file.GetHttps().GetListen())
	return s, err
}

// issuerOf returns a checked issuer with the settings of a configuration.
func (s *Server) issuerOf(c config) (*issuer.Issuer, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	options = append(options, issuer.WithState(s.state), issuer.WithLogger(s.logger))
	is := issuer.New(c.file.GetIssuer(), s.state.Keys(), s.state.Clients(), options...)
	if err := is.Check(); err != nil {
		return nil, errors.Join(err, is.Close())
	}
	return is, nil
}

// Run serves until ctx ends, drains, and closes the server.
func (s *Server) Run(ctx context.Context) error { return errors.Join(s.app.Run(ctx), s.Close()) }

// Ready returns a channel that is closed when the server serves.
func (s *Server) Ready() <-chan struct{} { return s.app.Ready() }

// Close closes everything. It may be called several times.
func (s *Server) Close() error {
	var errs []error
	if s.app != nil {
		errs = append(errs, s.app.Close())
	}
	if s.web != nil {
		if err := s.web.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	errs = append(errs, s.serving.close())
	if s.self != nil {
		errs = append(errs, s.self.Close())
	}
	if s.records != nil {
		errs = append(errs, s.records.Close())
	}
	return errors.Join(errs...)
}

// ready reports whether the state can be read.
func (s *Server) ready(ctx context.Context) error {
	_, err := s.state.Events(ctx, 0, 1)
	return err
}

const (
	// rotationInterval is how often the age of the newest key is looked at.
	rotationInterval = time.Minute
	// configInterval is how often the configuration is read.
	configInterval = time.Second
)

// rotate replaces the signing key when it is old.
func (s *Server) rotate(ctx context.Context) error {
	return every(ctx, rotationInterval, func() {
		before := len(s.state.Keys().State())
		signs, err := s.state.RotateAfter(ctx, s.config.rotateAfter())
		switch {
		case err != nil && ctx.Err() == nil:
			s.logger.Error("the signing key could not be rotated; the old one stays in use", slog.Any("error", err))
		case err == nil && len(s.state.Keys().State()) > before:
			s.logger.Info("the signing key is being rotated", slog.Time("signs", signs))
		}
	})
}

// every does something at once and after each interval, until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Describe prints what the server serves.
func (s *Server) Describe() string {
	return fmt.Sprintf("issuer %s on %s, operators on %s", s.config.file.GetIssuer(), s.web.Addr(), s.config.adminListen())
}
