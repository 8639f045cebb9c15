package framework

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/dns"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/file"
	"github.com/parley-rpc/parley/discovery/static"
	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
)

// assembleDiscovery makes the registry with the driver of the options or of the configuration, if there is one.
func (a *App) assembleDiscovery(p *parts) error {
	conf := p.config.GetDiscovery()
	d := a.driver
	if err := a.checkDiscovery(conf); err != nil {
		return err
	}
	if d == nil {
		if !discoveryStated(conf) {
			return nil
		}
		var err error
		if d, err = a.configuredDriver(conf); err != nil {
			return err
		}
	}
	options := append([]discovery.Option{discovery.WithLogger(p.logger)}, a.discoveryOptions...)
	if conf.GetLastKnownGood() != "" {
		options = append(options, discovery.WithLastKnownGood(conf.GetLastKnownGood()))
	}
	if conf.GetTtl() != nil {
		options = append(options, discovery.WithTTL(conf.GetTtl().AsDuration()))
	}
	if conf.GetHold() != nil {
		options = append(options, discovery.WithHold(conf.GetHold().AsDuration()))
	}
	if conf.GetFirstWait() != nil {
		options = append(options, discovery.WithFirstWait(conf.GetFirstWait().AsDuration()))
	}
	p.registry = discovery.New(d, options...)
	return p.registry.Check()
}

func discoveryStated(conf *configv1.Discovery) bool {
	return conf.GetDriver() != "" || len(conf.GetServices()) > 0
}

func (a *App) checkDiscovery(conf *configv1.Discovery) error {
	if a.driver != nil && discoveryStated(conf) {
		return errors.New("WithDiscovery and the discovery section of the configuration contradict each other; keep one")
	}
	return nil
}

// configuredDriver makes the driver for the URL in the configuration.
func (a *App) configuredDriver(conf *configv1.Discovery) (driver.Driver, error) {
	name, rest, _ := strings.Cut(conf.GetDriver(), ":")
	if name == "" && len(conf.GetServices()) > 0 {
		name = "static"
	}
	if name != "static" && len(conf.GetServices()) > 0 {
		return nil, fmt.Errorf(
			"discovery.services: only the static driver reads it; set discovery.driver to \"static:\", or remove it",
		)
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
			return nil, fmt.Errorf("discovery.driver: %w", withRemedy(err))
		}
		d, err := dns.New(pattern)
		if err != nil {
			return nil, fmt.Errorf("discovery.driver: %w", withRemedy(err))
		}
		return d, nil
	case "file":
		d, err := file.Open(conf.GetDriver())
		if err != nil {
			return nil, fmt.Errorf("discovery.driver: %w", withRemedy(err))
		}
		return d, nil
	}
	open, ok := a.engines[name]
	if !ok {
		return nil, fmt.Errorf(
			"discovery.driver: this program has no driver for the scheme %q; it has %s, and WithEngine adds others",
			name,
			a.engineNames(),
		)
	}
	d, err := open(conf.GetDriver())
	if err != nil {
		return nil, fmt.Errorf("discovery.driver: %w", withRemedy(err))
	}
	return d, nil
}

// engineNames returns the schemes that the configuration may use.
func (a *App) engineNames() string {
	names := []string{"dns:", "file:", "static:"}
	for name := range a.engines {
		names = append(names, name+":")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
