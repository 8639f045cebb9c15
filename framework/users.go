package framework

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

// userOptions are those who vouch for end users, by the configuration.
func (a *App) userOptions() ([]auth.ServerOption, error) {
	conf := a.parts.config.GetUsers()
	var options []auth.ServerOption
	var errs []error
	for i, stated := range conf.GetIssuers() {
		issuer, err := userIssuer(fmt.Sprintf("users.issuers[%d]", i), stated)
		errs = append(errs, err)
		options = append(options, auth.WithUserIssuers(issuer))
	}
	if stated := conf.GetTransactions(); stated != nil {
		issuer, err := userIssuer("users.transactions", stated)
		errs = append(errs, err)
		options = append(options, auth.WithTransactionTokens(issuer))
	}
	return options, errors.Join(errs...)
}

func userIssuer(path string, stated *configv1.UserIssuer) (auth.Issuer, error) {
	keys, err := readKeySet(stated.GetKeysFile())
	if err != nil {
		return auth.Issuer{}, fmt.Errorf("%s.keys_file: %w", path, err)
	}
	return auth.Issuer{
		Name: stated.GetIssuer(), Keys: keys, Audiences: stated.GetAudiences(), Types: stated.GetTypes(),
		RequiredClaims: stated.GetRequiredClaims(), MaxLifetime: stated.GetMaxLifetime().AsDuration(),
	}, nil
}

// readKeySet reads a JSON Web Key Set (RFC 7517 section 5).
func readKeySet(path string) (auth.KeySet, error) {
	if path == "" {
		return auth.KeySet{}, errors.New("it is missing; name the file with the issuer's JSON Web Key Set")
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return auth.KeySet{}, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return auth.KeySet{}, fmt.Errorf("%s is no JSON Web Key Set: %w", path, err)
	}
	keys := make([][]byte, len(set.Keys))
	for i, key := range set.Keys {
		keys[i] = key
	}
	return auth.StaticKeys(keys...)
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
