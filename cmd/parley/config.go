package main

import (
	"fmt"
	"os"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/issuerconfig"
	"github.com/parley-rpc/parley/internal/protoyaml"
	"github.com/parley-rpc/parley/policy"
)

// configuration is a configuration file, which is read once.
type configuration struct {
	*configv1.Config // never nil

	path    string // "" without a file
	content []byte
	layer   policy.Layer // its policies
	places  protoyaml.Places
}

// readConfig reads the configuration of a service. Without a path it is empty.
func readConfig(path string) (configuration, error) {
	c := configuration{Config: new(configv1.Config), path: path, layer: policy.Code(nil)}
	if path == "" {
		return c, nil
	}
	var err error
	if c.content, err = os.ReadFile(path); err != nil { //nolint:gosec // the user names it
		return c, fmt.Errorf("the configuration: %w", err)
	}
	if c.places, err = protoyaml.Unmarshal(path, c.content, c.Config, issuerconfig.MayBeEmpty()...); err != nil {
		return c, err
	}
	c.layer = policy.File(path, c.GetPolicies(), func(key string) int { return c.places.Line("policies", key) })
	return c, nil
}

// states reports whether the file has a value at a path.
func (c configuration) states(path string) bool {
	for stated := range c.places.All() {
		if stated == path {
			return true
		}
	}
	return false
}

// trustDomain is that of the service. A service whose configuration names none is of the trust domain local.
func (c configuration) trustDomain() string {
	if domain := c.GetIdentity().GetTrustDomain(); domain != "" {
		return domain
	}
	return "local"
}
