package framework

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

// makeAuth makes the client's side of authentication, for the configured mode. Use auth, which calls it once.
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

// checkAuth returns the mistakes in the expected identities and in the settings of authentication.
func (c *Client) checkAuth() error {
	switch conf := c.config(); {
	case c.app.insecure &&
		(conf.Mode != nil || conf.GetCaFile() != "" || conf.GetServerName() != "" || conf.GetToken() != nil):
		return fmt.Errorf(
			"clients.%s: WithInsecureDev disables authentication, but mode, ca_file, server_name or token are set; "+
				"remove them, or configure an identity",
			c.name,
		)
	case c.app.insecure:
		return nil
	case c.app.parts.identity == nil:
		_, expectedErr := c.expected()
		_, optionsErr := c.authOptions()
		return errors.Join(expectedErr, optionsErr)
	}
	made, err := c.auth()
	if err != nil {
		return err
	}
	return without(made.Check(), c.app.parts.identity.Check())
}

func (c *Client) authOptions() ([]auth.ChannelOption, error) {
	conf := c.config()
	var mode auth.Mode
	if c.controlled() && conf.GetMode() != configv1.ChannelMode_CHANNEL_MODE_TOKEN {
		return nil, fmt.Errorf(
			"clients.%s: connection mode does not work with target %q, whose control plane configures TLS; "+
				"set clients.%s.mode to token",
			c.name,
			c.effectiveTarget(),
			c.name,
		)
	}
	switch conf.GetMode() {
	case configv1.ChannelMode_CHANNEL_MODE_UNSPECIFIED, configv1.ChannelMode_CHANNEL_MODE_REQUIRE:
		var errs []error
		if conf.GetCaFile() != "" {
			errs = append(
				errs,
				fmt.Errorf(
					"clients.%s.ca_file: connection mode needs no certificate authority; set mode to prefer or token, or remove it",
					c.name,
				),
			)
		}
		if conf.GetServerName() != "" {
			errs = append(
				errs,
				fmt.Errorf(
					"clients.%s.server_name: connection mode verifies no TLS name; set mode to prefer or token, or remove it",
					c.name,
				),
			)
		}
		if conf.GetToken() != nil {
			errs = append(
				errs,
				fmt.Errorf("clients.%s.token: connection mode sends no token; set mode to prefer or token, or remove it", c.name),
			)
		}
		return nil, errors.Join(errs...)
	case configv1.ChannelMode_CHANNEL_MODE_PREFER:
		mode = auth.ModePrefer
	case configv1.ChannelMode_CHANNEL_MODE_TOKEN:
		mode = auth.ModeToken
	default:
		return nil, fmt.Errorf("clients.%s.mode: %d is not a mode; use require, prefer or token", c.name, conf.GetMode())
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
		return nil, withRemedy(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form; write that of the authority there", file)
	}
	return roots, nil
}

// clientTokens are the tokens of a client with a configured token source. The first use opens the source.
type clientTokens struct {
	opened sync.Once
	keeper *tokens.Keeper // nil if the service signs its tokens itself
	err    error
}

// tokenSource returns the configured source of the client's tokens, or nil if the service signs its tokens itself.
func (c *Client) tokenSource() (*tokens.Keeper, error) {
	t := &c.tokens
	t.opened.Do(func() {
		source, err := c.openTokens(c.config().GetToken())
		t.err = atPlace(fmt.Sprintf("clients.%s.token", c.name), err)
		if source != nil {
			t.keeper = tokens.Keep(source)
		}
	})
	return t.keeper, t.err
}

// openTokens returns the configured source, and every mistake in its configuration.
func (c *Client) openTokens(stated *configv1.TokenSource) (tokens.Source, error) {
	identity := c.app.parts.identity
	switch file, endpoint := stated.GetFile(), stated.GetEndpoint(); {
	case stated == nil:
		if c.app.parts.vouchedFor() {
			return nil, errors.New(
				"an issuer vouches for this service, so servers do not know its key and do not accept tokens that it signs " +
					"itself; set file or endpoint",
			)
		}
		return nil, nil //nolint:nilnil // as tokenSource says
	case file != "" && endpoint != nil:
		return nil, errors.New("file and endpoint contradict each other; keep one")
	case file != "":
		return c.openTokenFile(file, stated.GetAnyAudience())
	case endpoint == nil:
		return nil, errors.New(
			"it has neither file nor endpoint; set one of them, or remove the section to sign tokens with the service's own key",
		)
	case stated.GetAnyAudience():
		return nil, errors.New(
			"any_audience applies only to a file; the token of an endpoint always has the server as its audience",
		)
	case identity == nil: // another check reports it
		return nil, nil //nolint:nilnil // as tokenSource says
	default:
		return newTokenEndpoint(endpoint, latestWorkload{&c.app.parts.workload})
	}
}

// openTokenFile reads a token file once, so that a mistake is reported at the start.
func (c *Client) openTokenFile(file string, anyAudience bool) (tokens.Source, error) {
	expected, err := c.expected()
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // another check reports it
	}
	var shownTo []principal.Pattern
	if anyAudience {
		shownTo = expected
	}
	source := tokens.File(file, shownTo...)
	var server principal.ID // token mode expects exactly one server; another check reports more
	if id, ok := expected[0].(principal.ID); ok {
		server = id
	}
	_, err = source.Token(context.Background(), server)
	return source, err
}

// close closes the keeper of the tokens.
func (t *clientTokens) close() error {
	t.opened.Do(func() {})
	if t.keeper == nil {
		return nil
	}
	return t.keeper.Close()
}
