package framework

import (
	"errors"
	"fmt"
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
func (p *parts) assembleUsers() error {
	conf := p.config.GetUsers()
	var errs []error
	issuer := func(place string, stated *configv1.UserIssuer) auth.Issuer {
		where, err := userKeys(place, stated)
		issuer, issuerErr := p.readIssuer(place, stated, where)
		errs = append(errs, err, issuerErr)
		return issuer
	}
	for i, stated := range conf.GetIssuers() {
		p.users = append(p.users, auth.WithUserIssuers(issuer(fmt.Sprintf("users.issuers[%d]", i), stated)))
	}
	if stated := conf.GetTransactions(); stated != nil {
		p.users = append(p.users, auth.WithTransactionTokens(issuer("users.transactions", stated)))
	}
	return errors.Join(errs...)
}

// userKeys says where the keys of an issuer of users are, which has a short form.
func userKeys(place string, stated *configv1.UserIssuer) (*configv1.Keys, error) {
	short := &configv1.Keys{File: stated.KeysFile, Url: stated.KeysUrl, Algorithms: stated.GetAlgorithms()}
	switch {
	case stated.GetKeys() == nil:
		return short, nil
	case short.File != nil || short.Url != nil || len(short.GetAlgorithms()) > 0:
		return stated.GetKeys(), fmt.Errorf("%s: keys_file, keys_url and algorithms are short for those of keys; state them there", place)
	default:
		return stated.GetKeys(), nil
	}
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

// checkVouching refuses what would be ignored.
func (a *App) checkVouching() error {
	if !a.insecure {
		return nil
	}
	var errs []error
	if a.parts.config.GetUsers() != nil {
		errs = append(errs, errors.New("users: WithInsecureDev proves nothing, so nobody is taken for a user; remove the section, or give the App an identity"))
	}
	for name := range a.parts.workloads {
		errs = append(errs, fmt.Errorf("servers.%s.issuers: WithInsecureDev proves nothing, so nobody's word counts; remove them, or give the App an identity", name))
	}
	return errors.Join(errs...)
}
