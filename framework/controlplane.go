package framework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/discovery/controlplane"
)

// errUndescribed is the reason why a server that waits for its control plane is not ready.
var errUndescribed = errors.New("the control plane has not configured the listener yet")

// checkControlPlane checks the control plane once, for all servers and clients.
func (a *App) checkControlPlane() error {
	if a.plane == nil {
		return nil
	}
	if err := a.plane.Check(); err != nil {
		return fmt.Errorf("WithControlPlane: %w", err)
	}
	return nil
}

// controlled reports whether a control plane resolves the client's target.
func (c *Client) controlled() bool {
	return c.app.plane != nil && strings.HasPrefix(c.effectiveTarget(), c.app.plane.Scheme()+":")
}

// checkControlPlane refuses a target without a resolver, and settings without effect.
func (c *Client) checkControlPlane() error {
	target := c.effectiveTarget()
	if c.app.plane == nil && strings.HasPrefix(target, "xds:") {
		return fmt.Errorf(
			"Client(%q): target %q: the App has no control plane; add one with WithControlPlane(xds.New()), "+
				"from package discovery/xds",
			c.name,
			target,
		)
	}
	if !c.controlled() {
		return nil
	}
	conf := c.config()
	if conf.Balancing != nil || conf.GetHashKey() != nil || conf.GetSubset() != nil || conf.GetOutliers() != nil {
		return fmt.Errorf(
			"clients.%s: balancing, hash_key, subset and outliers have no effect on target %q, "+
				"whose control plane configures them; remove them here, and configure them there",
			c.name,
			target,
		)
	}
	return nil
}

// controlled reports whether a control plane configures the server's listener.
func (s *Server) controlled() bool {
	if conf := s.config(); conf.ControlPlane != nil {
		return conf.GetControlPlane() && s.app.plane != nil
	}
	return s.isControlled && s.app.plane != nil
}

func (s *Server) checkControlPlane() error {
	switch {
	case s.app.plane == nil && (s.isControlled || s.config().GetControlPlane()):
		return fmt.Errorf(
			"Server(%q): the App has no control plane to configure the listener; "+
				"add one with WithControlPlane(xds.New()), from package discovery/xds",
			s.listenAddr(),
		)
	case !s.controlled() || s.listener == nil:
		return nil
	}
	if _, ok := s.tcpAddr(); !ok {
		return fmt.Errorf(
			"Server(%q): a control plane configures only TCP listeners, not %s; remove WithListener, or control_plane",
			s.addr,
			s.listener.Addr().Network(),
		)
	}
	return nil
}

// newControlled makes the gRPC server of a listener that a control plane configures.
func (s *Server) newControlled(options []grpc.ServerOption) (controlplane.Server, error) {
	why := errUndescribed
	s.unserved.Store(&why)
	return s.app.plane.NewServer(s.controlPlaneDecided, options...)
}

// controlPlaneDecided records whether the control plane lets the server serve.
func (s *Server) controlPlaneDecided(serving bool, why error) {
	logger := s.app.parts.logger.With(slog.String("listener", s.Addr().String()))
	if serving {
		s.unserved.Store(nil)
		logger.Info("the control plane lets the server serve")
	} else {
		s.unserved.Store(&why)
		logger.Error("the control plane does not let the server serve", slog.Any("why", why))
	}
	s.reconsider()
}

// controlChecks returns readiness checks for the servers whose listeners a control plane configures.
func (r *run) controlChecks() []check {
	var checks []check
	for _, s := range r.servers {
		if !s.controlled() {
			continue
		}
		checks = append(checks, check{"control plane", func(context.Context) error {
			if why := s.unserved.Load(); why != nil {
				return *why
			}
			return nil
		}})
	}
	return checks
}

// describeControl writes what the control plane decides for a client, instead of the client's balancing.
func (c *Client) describeControl(b *bytes.Buffer) {
	fmt.Fprintf(b, "  control plane: %v\n", c.app.plane)
	b.WriteString(
		"    decides: endpoints, health, balancing, outliers, routes, time limits of routes, circuit breaking, " +
			"injected faults, and TLS if it configures certificates\n",
	)
	b.WriteString(
		"    does not decide: identities, policies, deadlines, retries; its retry policies are ignored, " +
			"so that calls are not retried twice\n",
	)
}

// describeControl writes what the control plane decides for a server.
func (s *Server) describeControl(b *bytes.Buffer) {
	fmt.Fprintf(b, "  control plane: %v\n", s.app.plane)
	b.WriteString(
		"    decides: whether the listener serves, routes, RBAC without principals, and TLS if it configures certificates\n",
	)
	b.WriteString("    does not decide: who may call; RBAC with principals stops the server\n")
}
