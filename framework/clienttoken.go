package framework

import (
	"context"
	"errors"
	"fmt"
	"sync"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// clientTokens are the tokens of a client whose configuration says where they come from. They are opened once, by whoever
// first needs them.
type clientTokens struct {
	opened sync.Once
	keeper *auth.TokenKeeper // nil where the service signs its tokens itself
	err    error
}

// tokenSource returns where the client's tokens come from, or nil where the configuration does not say.
func (c *Client) tokenSource() (*auth.TokenKeeper, error) {
	t := &c.tokens
	t.opened.Do(func() {
		source, err := c.openTokens(c.config().GetToken())
		if err != nil {
			t.err = fmt.Errorf("clients.%s.token: %w", c.name, err)
		}
		if source != nil {
			t.keeper = auth.KeepTokens(source)
		}
	})
	return t.keeper, t.err
}

// openTokens returns the source that is stated, and every mistake in that.
func (c *Client) openTokens(stated *configv1.TokenSource) (auth.TokenSource, error) {
	identity := c.app.parts.identity
	switch file, endpoint := stated.GetFile(), stated.GetEndpoint(); {
	case stated == nil:
		if issued := c.app.parts.config.GetIdentity().GetIssued(); issued != nil {
			return nil, errors.New("servers do not know the key of a service that an issuer vouches for, so it cannot sign its tokens itself; state a file or an endpoint")
		}
		return nil, nil //nolint:nilnil // as tokenSource says
	case file != "" && endpoint != nil:
		return nil, errors.New("file and endpoint contradict each other; keep one")
	case file != "":
		return c.openTokenFile(file, stated.GetAnyAudience())
	case endpoint == nil:
		return nil, errors.New("it names neither a file nor an endpoint; state one, or remove the section to sign tokens with the service's own key")
	case stated.GetAnyAudience():
		return nil, errors.New("any_audience is for a file; an endpoint is asked for a token that is meant for the server")
	case identity == nil: // which is reported elsewhere
		return nil, nil //nolint:nilnil // as tokenSource says
	default:
		var options []auth.ClientCredentialsOption
		if len(endpoint.GetScopes()) > 0 {
			options = append(options, auth.WithScopes(endpoint.GetScopes()...))
		}
		if endpoint.GetLoopbackHttp() {
			options = append(options, auth.WithLoopbackHTTP())
		}
		source := auth.TokensFromIssuer(endpoint.GetIssuer(), endpoint.GetUrl(), identity, options...)
		return source, source.Check()
	}
}

// openTokenFile reads a token file once, so that a mistake shows at the start.
func (c *Client) openTokenFile(file string, anyAudience bool) (auth.TokenSource, error) {
	expected, err := c.expected()
	if err != nil {
		return nil, nil //nolint:nilnil,nilerr // it is reported elsewhere
	}
	var shownTo []principal.Pattern
	if anyAudience {
		shownTo = expected
	}
	source := auth.TokensFromFile(file, shownTo...)
	var server principal.ID // in token mode exactly one is expected, which is checked elsewhere
	if id, ok := expected[0].(principal.ID); ok {
		server = id
	}
	_, err = source.Token(context.Background(), server)
	return source, err
}

// close ends what keeps the tokens.
func (t *clientTokens) close() error {
	t.opened.Do(func() {})
	if t.keeper == nil {
		return nil
	}
	return t.keeper.Close()
}
