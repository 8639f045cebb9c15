package framework

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
)

// newTokenEndpoint returns the source that is a token endpoint, which is asked in the name of a workload, and every
// mistake in what is stated of it.
func newTokenEndpoint(stated *configv1.TokenEndpoint, workload tokens.Workload) (*tokens.IssuerClient, error) {
	var options []tokens.Option
	text := func(stated bool, value string, option func(string) tokens.Option) {
		if stated {
			options = append(options, option(value))
		}
	}
	text(stated.ClientId != nil, stated.GetClientId(), tokens.WithClientID)
	text(stated.Audience != nil, stated.GetAudience(), tokens.WithAudience)
	text(stated.AssertionFile != nil, stated.GetAssertionFile(), tokens.WithAssertionFile)
	text(stated.ClientSecretFile != nil, stated.GetClientSecretFile(), tokens.WithClientSecretFile)
	text(stated.BearerTokenFile != nil, stated.GetBearerTokenFile(), tokens.WithBearerTokenFile)
	text(stated.CaFile != nil, stated.GetCaFile(), tokens.WithCAFile)
	text(stated.Proxy != nil, stated.GetProxy(), tokens.WithProxy)
	if len(stated.GetScopes()) > 0 {
		options = append(options, tokens.WithScopes(stated.GetScopes()...))
	}
	if stated.GetLoopbackHttp() {
		options = append(options, tokens.WithLoopbackHTTP())
	}
	if stated.GetClientSecretInBody() {
		options = append(options, tokens.WithClientSecretInBody())
	}
	var errs []error
	switch files := stated.GetCertificate(); {
	case files != nil:
		options = append(options, tokens.WithCertificate(files.GetCert(), files.GetKey(), stated.GetAssertionAlgorithm()))
	case stated.AssertionAlgorithm != nil:
		errs = append(errs, errors.New("assertion_algorithm is that of a certificate, and none is stated; remove it"))
	}
	if stated.AudienceParameter != nil {
		name, err := audienceParameter(stated.GetAudienceParameter())
		options, errs = append(options, tokens.WithAudienceParameter(name)), append(errs, err)
	}
	source := tokens.FromIssuer(stated.GetIssuer(), stated.GetUrl(), workload, options...)
	return source, errors.Join(append(errs, source.Check())...)
}

func audienceParameter(stated configv1.AudienceParameter) (tokens.AudienceParameter, error) {
	switch stated {
	case configv1.AudienceParameter_AUDIENCE_PARAMETER_UNSPECIFIED, configv1.AudienceParameter_AUDIENCE_PARAMETER_RESOURCE:
		return tokens.Resource, nil
	case configv1.AudienceParameter_AUDIENCE_PARAMETER_AUDIENCE:
		return tokens.Audience, nil
	case configv1.AudienceParameter_AUDIENCE_PARAMETER_NONE:
		return tokens.NoAudience, nil
	default:
		return "", fmt.Errorf("audience_parameter: %d is no parameter; use resource, audience or none", stated)
	}
}

// latestWorkload is the identity of the App. Keys of issuers may be asked for before there is one.
type latestWorkload struct {
	identity *atomic.Pointer[auth.Identity]
}

// ClientAssertion is that of the identity.
func (w latestWorkload) ClientAssertion(ctx context.Context, client, issuer string) (string, error) {
	identity := w.identity.Load()
	if identity == nil {
		return "", errors.New("the App has no identity to ask in the name of")
	}
	return identity.ClientAssertion(ctx, client, issuer)
}
