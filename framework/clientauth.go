package framework

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
)

// makeAuth makes the client's side of authentication, by the mode that the configuration states.
func (c *Client) makeAuth() (*auth.Channel, error) {
	expected, err := c.expected()
	if err != nil {
		return nil, err
	}
	options, err := c.authOptions()
	if err != nil {
		return nil, err
	}
	return c.app.parts.identity.Channel(expected, options...), nil
}

// checkAuth finds mistakes in who may answer, and in how that is proven.
func (c *Client) checkAuth() error {
	switch conf := c.config(); {
	case c.app.insecure && (conf.Mode != nil || conf.GetCaFile() != "" || conf.GetServerName() != "" || conf.GetToken() != nil):
		return fmt.Errorf("clients.%s: WithInsecureDev proves nothing, but mode, ca_file, server_name or token are stated; remove them, or give the App an identity", c.name)
	case c.app.insecure:
		return nil
	case c.app.parts.identity == nil:
		_, expectedErr := c.expected()
		_, optionsErr := c.authOptions()
		return errors.Join(expectedErr, optionsErr)
	}
	made, err := c.makeAuth()
	if err != nil || c.app.parts.identity.Check() != nil { // which is reported elsewhere
		return err
	}
	return made.Check()
}

func (c *Client) authOptions() ([]auth.ChannelOption, error) {
	conf := c.config()
	var mode auth.Mode
	if c.controlled() && conf.GetMode() != configv1.ChannelMode_CHANNEL_MODE_TOKEN {
		return nil, fmt.Errorf("clients.%s: connection mode does not go with target %q, whose control plane decides about TLS; set clients.%s.mode to token", c.name, c.effectiveTarget(), c.name)
	}
	switch conf.GetMode() {
	case configv1.ChannelMode_CHANNEL_MODE_UNSPECIFIED, configv1.ChannelMode_CHANNEL_MODE_REQUIRE:
		var errs []error
		if conf.GetCaFile() != "" {
			errs = append(errs, fmt.Errorf("clients.%s.ca_file: connection mode needs no certificate authority; set mode to prefer or token, or remove it", c.name))
		}
		if conf.GetServerName() != "" {
			errs = append(errs, fmt.Errorf("clients.%s.server_name: connection mode verifies no TLS name; set mode to prefer or token, or remove it", c.name))
		}
		if conf.GetToken() != nil {
			errs = append(errs, fmt.Errorf("clients.%s.token: connection mode sends no token; set mode to prefer or token, or remove it", c.name))
		}
		return nil, errors.Join(errs...)
	case configv1.ChannelMode_CHANNEL_MODE_PREFER:
		mode = auth.ModePrefer
	case configv1.ChannelMode_CHANNEL_MODE_TOKEN:
		mode = auth.ModeToken
	default:
		return nil, fmt.Errorf("clients.%s.mode: %d is no mode; use require, prefer or token", c.name, conf.GetMode())
	}
	options := []auth.ChannelOption{auth.WithMode(mode), auth.WithProofPolicy(c.app.parts.table)}
	if c.controlled() {
		options = append(options, auth.WithManagedTLS(c.app.plane.ClientCredentials))
	}
	if name := conf.GetServerName(); name != "" {
		options = append(options, auth.WithServerName(name))
	}
	if file := conf.GetCaFile(); file != "" {
		roots, err := readRoots(file)
		if err != nil {
			return nil, fmt.Errorf("clients.%s.ca_file: %w", c.name, err)
		}
		options = append(options, auth.WithRoots(roots))
	}
	tokens, err := c.tokenSource()
	if err != nil {
		return nil, err
	}
	if tokens != nil {
		options = append(options, auth.WithTokenSource(tokens))
	}
	return options, nil
}

func readRoots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return roots, nil
}
