package framework

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
)

// WithAuth gives options to the authentication of servers: predicates that policies name, issuers of users, step-up. They come
// behind those of the configuration.
func WithAuth(options ...auth.ServerOption) AppOrServerOption {
	texts := make([]string, len(options))
	for i, o := range options {
		if o != nil {
			texts[i] = o.String()
		}
	}
	return appOrServerOption{serverOption{"WithAuth(" + strings.Join(texts, ", ") + ")", func(s *Server) { s.auth = append(s.auth, options...) }}}
}

// assembleUsers reads who vouches for end users.
func (a *App) assembleUsers(p *parts) error {
	conf := p.config.GetUsers()
	var errs []error
	issuer := func(path string, stated *configv1.UserIssuer) auth.Issuer {
		keys, err := userKeys(stated, p.logger)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
		p.userKeys = append(p.userKeys, keys)
		return auth.Issuer{
			Name: stated.GetIssuer(), Keys: keys, Audiences: stated.GetAudiences(), Types: stated.GetTypes(),
			RequiredClaims: stated.GetRequiredClaims(), MaxLifetime: stated.GetMaxLifetime().AsDuration(),
		}
	}
	for i, stated := range conf.GetIssuers() {
		p.users = append(p.users, auth.WithUserIssuers(issuer(fmt.Sprintf("users.issuers[%d]", i), stated)))
	}
	if stated := conf.GetTransactions(); stated != nil {
		p.users = append(p.users, auth.WithTransactionTokens(issuer("users.transactions", stated)))
	}
	return errors.Join(errs...)
}

// userKeys are the keys of an issuer, which are read and kept fresh from now on.
func userKeys(stated *configv1.UserIssuer, logger *slog.Logger) (*auth.KeySet, error) {
	options := []auth.KeySetOption{auth.WithLogger(logger)}
	if algorithms := stated.GetAlgorithms(); len(algorithms) > 0 {
		options = append(options, auth.WithAlgorithms(algorithms...))
	}
	var keys *auth.KeySet
	switch file, url := stated.GetKeysFile(), stated.GetKeysUrl(); {
	case file != "" && url != "":
		return auth.KeysFromFile(file), errors.New("keys_file and keys_url contradict each other; keep one")
	case file != "":
		keys = auth.KeysFromFile(file, options...)
	case url != "":
		keys = auth.KeysFromURL(url, options...)
	default:
		keys = auth.KeysFromProvider(stated.GetIssuer(), options...)
	}
	return keys, keys.Check()
}

// authMeters makes servers count refusals where the App counts everything else.
func (a *App) authMeters() []auth.ServerOption {
	switch {
	case a.meterProvider != nil:
		return []auth.ServerOption{auth.WithMeterProvider(a.meterProvider)}
	case a.parts.telemetry != nil:
		return []auth.ServerOption{auth.WithMeterProvider(a.parts.telemetry.MeterProvider())}
	default:
		return nil
	}
}

// checkUsers refuses what would be ignored.
func (a *App) checkUsers() error {
	if a.insecure && a.parts.config.GetUsers() != nil {
		return errors.New("users: WithInsecureDev proves nothing, so nobody is taken for a user; remove the section, or give the App an identity")
	}
	return nil
}
