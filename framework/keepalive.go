package framework

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
)

// pings is when the peer of a silent connection is pinged, and how long its answer may take. A time of 0 disables
// pings.
type pings struct{ time, timeout time.Duration }

// over returns d with the values of the configuration.
func (d pings) over(conf *configv1.Keepalive) pings {
	if conf.GetTime() != nil {
		d.time = conf.GetTime().AsDuration()
	}
	if conf.GetTimeout() != nil {
		d.timeout = conf.GetTimeout().AsDuration()
	}
	return d
}

// stated returns d with the values of raw gRPC options.
func (d pings) stated(raw pings) pings {
	if raw.time > 0 {
		d.time = raw.time
	}
	if raw.timeout > 0 {
		d.timeout = raw.timeout
	}
	return d
}

// check returns every mistake, joined. Least is the minimum of the time.
func (d pings) check(least time.Duration) error {
	var errs []error
	if d.time != 0 && d.time < least {
		errs = append(errs, fmt.Errorf("keepalive.time: %v is too short; want at least %v, or 0s for never", d.time, least))
	}
	if d.timeout < leastPingTimeout {
		errs = append(errs, fmt.Errorf("keepalive.timeout: %v is too short; want at least %v", d.timeout, leastPingTimeout))
	}
	return errors.Join(errs...)
}

func (d pings) String() string {
	if d.time == 0 {
		return "keepalive off"
	}
	return fmt.Sprintf("keepalive after %v, for %v", d.time, d.timeout)
}

func (c *Client) pings() pings {
	raw := c.raw().keepalive
	return pings{clientPingTime, clientPingTimeout}.stated(pings{raw.Time, raw.Timeout}).over(c.config().GetKeepalive())
}

func (c *Client) checkKeepalive() error {
	if err := c.pings().check(leastClientPingTime); err != nil {
		return fmt.Errorf("clients.%s: %w", c.name, err)
	}
	return nil
}

// connectionOptions returns the options for opening lost connections again and for noticing a silent server. The first
// wait is random for each client, because gRPC does not randomize it.
func (c *Client) connectionOptions() []grpc.DialOption {
	first := reconnectFirst * time.Duration(80+rand.IntN(41)) / 100 //nolint:gosec // jitter
	options := []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff: backoff.Config{
			BaseDelay:  first,
			Multiplier: backoff.DefaultConfig.Multiplier,
			Jitter:     backoff.DefaultConfig.Jitter,
			MaxDelay:   reconnectMost,
		},
		MinConnectTimeout: connectTimeout,
	})}
	if p := c.pings(); p.time > 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: p.time, Timeout: p.timeout, PermitWithoutStream: true,
		}))
	}
	return options
}

// dial returns the function that opens the client's connections. It is nil if gRPC must open them, because the
// environment has a proxy.
func (c *Client) dial() func(context.Context, string) (net.Conn, error) {
	switch {
	case c.dialer != nil:
		return guardedDial(c.dialer, c.logger())
	case c.controlled(), !c.inDiscovery() && hasProxy():
		return nil
	}
	return func(ctx context.Context, addr string) (net.Conn, error) {
		network := "tcp"
		if path, ok := strings.CutPrefix(addr, "unix:"); ok { // the form that gRPC uses
			network, addr = "unix", strings.TrimPrefix(path, "//")
		} else if strings.HasPrefix(addr, "\x00") {
			network = "unix"
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}

// hasProxy reports whether the environment has a proxy for connections of gRPC.
func hasProxy() bool {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: "https", Host: "a.host:443"}})
	return proxy != nil || err != nil
}

func (s *Server) pings() pings {
	raw := s.raw().keepalive
	return pings{serverPingTime, serverPingTimeout}.stated(pings{raw.Time, raw.Timeout}).over(s.config().GetKeepalive())
}

func (s *Server) checkKeepalive() error {
	if err := s.pings().check(leastServerPingTime); err != nil {
		return fmt.Errorf("servers.%s: %w", s.service, err)
	}
	return nil
}

// keepaliveOptions returns the options for noticing a silent client and for the age of connections, which gRPC has in
// one option. The server accepts the pings of every gRPC client with valid settings.
func (s *Server) keepaliveOptions() []grpc.ServerOption {
	var params keepalive.ServerParameters
	if s.gate != nil {
		params = s.gate.ConnectionAge()
	}
	raw := s.raw().keepalive
	params.MaxConnectionIdle = raw.MaxConnectionIdle
	params.MaxConnectionAge = lower(params.MaxConnectionAge, raw.MaxConnectionAge)
	params.MaxConnectionAgeGrace = lower(params.MaxConnectionAgeGrace, raw.MaxConnectionAgeGrace)
	if p := s.pings(); p.time > 0 {
		params.Time, params.Timeout = p.time, p.timeout
	}
	return []grpc.ServerOption{
		grpc.KeepaliveParams(params),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: lower(leastPingInterval, s.raw().minPing), PermitWithoutStream: true,
		}),
	}
}

// lower returns the lower of two bounds of which 0 is none.
func lower[T time.Duration | uint32](a, b T) T {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}
