package framework

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/dns"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/static"
	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
)

// assembleDiscovery makes the registry over the driver of the options or the configuration, if there is one.
func (a *App) assembleDiscovery(p *parts) error {
	conf := p.config.GetDiscovery()
	d := a.driver
	switch {
	case d != nil && conf != nil:
		return errors.New("WithDiscovery and the discovery section of the configuration contradict each other; keep one")
	case d == nil && conf == nil:
		return nil
	case d == nil:
		var err error
		if d, err = configuredDriver(conf); err != nil {
			return err
		}
	}
	p.registry = discovery.New(d, discovery.WithLogger(p.logger))
	return p.registry.Check()
}

// configuredDriver makes the driver that the configuration names by URL.
func configuredDriver(conf *configv1.Discovery) (driver.Driver, error) {
	name, rest, _ := strings.Cut(conf.GetDriver(), ":")
	if name == "" && len(conf.GetServices()) > 0 {
		name = "static"
	}
	if name != "static" && len(conf.GetServices()) > 0 {
		return nil, fmt.Errorf("discovery.services: only the static driver reads it; set discovery.driver to \"static:\", or remove it")
	}
	switch name {
	case "static":
		services := map[string][]string{}
		for service, addresses := range conf.GetServices() {
			services[service] = addresses.GetAddresses()
		}
		d, err := static.New(services)
		if err != nil {
			return nil, fmt.Errorf("discovery.services: %w", err)
		}
		return d, nil
	case "dns":
		pattern, err := url.PathUnescape(strings.TrimLeft(rest, "/"))
		if err != nil {
			return nil, fmt.Errorf("discovery.driver: %w", err)
		}
		d, err := dns.New(pattern)
		if err != nil {
			return nil, fmt.Errorf("discovery.driver: %w", err)
		}
		return d, nil
	default:
		return nil, fmt.Errorf("discovery.driver: %q is not a driver of this program; it has \"static:\" and \"dns:<pattern>\", and any other with WithDiscovery", conf.GetDriver())
	}
}
