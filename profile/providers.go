package profile

import (
	"fmt"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/quote"
)

// Provider is a product that issues tokens, by its name in the configuration file.
type Provider string

// The products whose tokens are known. Each opens what the product issues by its own defaults, and demands what tells
// its access tokens from its ID tokens. What an operator has changed there must be stated.
const (
	// Keycloak is Keycloak's access tokens: type JWT, and several audiences.
	// https://www.keycloak.org/docs/latest/server_admin/index.html
	Keycloak Provider = "keycloak"
	// Auth0 is access tokens of Auth0 for one's own API, in either of its two token profiles, for a day.
	// https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles
	Auth0 Provider = "auth0"
	// Okta is access tokens of an Okta custom authorization server: no typ, scopes in scp.
	// https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/
	Okta Provider = "okta"
	// Entra is access tokens of Microsoft Entra ID in version 2.0. The issuer is that of one tenant,
	// https://login.microsoftonline.com/<tenant>/v2.0.
	// https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
	Entra Provider = "entra"
	// EntraV1 is those of version 1.0, which AD FS issues alike: a header with x5t. The issuer is
	// https://sts.windows.net/<tenant>/.
	// https://learn.microsoft.com/entra/identity-platform/access-tokens
	EntraV1 Provider = "entra-v1"
	// Google is ID tokens of Google and of its service accounts; its access tokens are no JWTs. The iss may lack its
	// https://.
	// https://developers.google.com/identity/openid-connect/openid-connect
	Google Provider = "google"
	// Kubernetes is projected tokens of service accounts: no typ.
	// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
	Kubernetes Provider = "kubernetes"
	// Dex is tokens of Dex, for a day: no typ, no jti.
	// https://dexidp.io/docs/configuration/tokens/
	Dex Provider = "dex"
	// Zitadel is access tokens of ZITADEL of the kind JWT: several audiences, 12 hours.
	// https://zitadel.com/docs/apis/openidoauth/claims
	Zitadel Provider = "zitadel"
	// Hydra is access tokens of Ory Hydra with the JWT strategy: scopes in scp, and a second more than their hour.
	// https://www.ory.com/docs/oauth2-oidc/jwt-access-token
	Hydra Provider = "hydra"
	// Cognito is access tokens of an Amazon Cognito user pool: no typ, and client_id in the place of aud.
	// https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html
	Cognito Provider = "cognito"
	// Ping is access tokens of PingFederate's JWT token manager: other header members, neither iat nor jti, two hours.
	// https://docs.pingidentity.com/pingfederate/latest/administrators_reference_guide/pf_json_token_management.html
	Ping Provider = "ping"
	// GitLab is ID tokens of CI/CD jobs.
	// https://docs.gitlab.com/ci/secrets/id_token_authentication/
	GitLab Provider = "gitlab"
	// GitHubActions is the OIDC tokens of workflows, whose header has x5t.
	// https://docs.github.com/actions/reference/security/oidc
	GitHubActions Provider = "github-actions"
	// Vault is identity tokens of HashiCorp Vault, for a day: no typ, no jti.
	// https://developer.hashicorp.com/vault/docs/secrets/identity/identity-token
	Vault Provider = "vault"
	// Spire is JWT-SVIDs: type JWT, JOSE or none, neither iss, iat nor jti, keys for use jwt-svid.
	// https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md
	Spire Provider = "spire"
)

// Of returns the profile of a product's tokens. Change its fields before you use it to require more, or to accept
// tokens of a product with other settings. With an unknown provider, [Profile.Check] returns an error.
func Of(provider Provider) Profile {
	p := presets()[provider].clone()
	p.provider = provider
	return p
}

// Providers lists every product.
func Providers() []Provider {
	known := presets()
	list := make([]Provider, 0, len(known))
	for name := range known {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// UnmarshalText reads the name of a product.
func (p *Provider) UnmarshalText(text []byte) error {
	if _, ok := presets()[Provider(text)]; !ok {
		return fmt.Errorf("provider %s is not known; it is one of %v", quote.Text(string(text)), Providers())
	}
	*p = Provider(text)
	return nil
}

// idTokenOnly are claims that OpenID Connect gives to ID tokens alone: the nonce of a login, and hashes of what came
// with them.
func idTokenOnly() []string { return []string{"nonce", "at_hash", "c_hash"} }

const day = 24 * time.Hour

// presets is the table of products.
func presets() map[Provider]Profile {
	const long = 16 << 10 // for a few hundred groups or roles
	none := []string{}
	rs256 := []string{"RS256"}
	return map[Provider]Profile{
		Keycloak: {
			Types: []string{
				"JWT",
				jose.TypeAccess,
			}, TypeVariants: true, RequiredValues: map[string]string{"typ": "Bearer"},
			MaxAudiences: 16, MaxLength: long, MaxMembers: MaxMembers,
		},
		Auth0: {
			Types: []string{
				"JWT",
				jose.TypeAccess,
			}, TypeVariants: true, RequiredClaims: none, RefusedClaims: append(idTokenOnly(), "sid"),
			MaxAudiences: 2, MaxLifetime: day,
		},
		Okta: {
			Types: []string{Untyped}, RequiredClaims: []string{"jti", "cid"}, RefusedClaims: idTokenOnly(),
			ScopeClaims: []string{"scp"}, MaxLength: long,
		},
		Entra: {
			Types: []string{
				"JWT",
			}, RequiredClaims: []string{"tid", "azp"}, RequiredValues: map[string]string{"ver": "2.0"},
			RefusedClaims: idTokenOnly(), ScopeClaims: []string{"scp", "roles"}, MaxLifetime: 2 * time.Hour,
			MaxLength: long, Algorithms: rs256,
		},
		EntraV1: {
			Types: []string{"JWT"}, OtherHeaders: true, RequiredClaims: []string{"tid", "appid"},
			RequiredValues: map[string]string{"ver": "1.0"}, RefusedClaims: idTokenOnly(),
			ScopeClaims: []string{"scp", "roles"}, MaxLifetime: 2 * time.Hour, MaxLength: long, Algorithms: rs256,
		},
		Google: {Types: []string{"JWT"}, BareIssuer: true, RequiredClaims: none, Algorithms: rs256},
		Kubernetes: {
			Types: []string{Untyped}, RequiredClaims: []string{"kubernetes.io"},
		},
		Dex: {Types: []string{Untyped}, RequiredClaims: none, MaxLifetime: day},
		Zitadel: {
			Types: []string{"JWT"}, RefusedClaims: idTokenOnly(), MaxAudiences: 16, MaxLifetime: day / 2,
			MaxLength: long, MaxMembers: MaxMembers,
		},
		Hydra: {
			Types: []string{"JWT"}, RequiredClaims: []string{"jti", "client_id"}, RefusedClaims: idTokenOnly(),
			ScopeClaims: []string{"scp", "scope"},
			MaxLifetime: time.Hour + time.Second, // it rounds exp up and cuts iat off
		},
		Cognito: {
			Types: []string{Untyped}, AudienceClaim: "client_id", AudienceText: true,
			RequiredValues: map[string]string{"token_use": "access"}, Algorithms: rs256,
		},
		Ping: {
			Types: []string{
				Untyped,
				"JWT",
				jose.TypeAccess,
			}, TypeVariants: true, OtherHeaders: true, NoIssuedAt: true,
			RequiredClaims: []string{
				"client_id",
			}, RefusedClaims: idTokenOnly(), MaxLifetime: 2 * time.Hour, MaxLength: long,
		},
		GitLab: {Types: []string{"JWT"}, RequiredClaims: []string{"jti", "job_id"}, Algorithms: rs256},
		GitHubActions: {
			Types:          []string{"JWT"},
			OtherHeaders:   true,
			RequiredClaims: []string{"jti", "repository"},
			Algorithms:     rs256,
		},
		Vault: {Types: []string{Untyped}, RequiredClaims: []string{"namespace"}, MaxLifetime: day},
		Spire: {
			Types: []string{Untyped, "JWT", "JOSE"}, NoIssuer: true, NoIssuedAt: true, RequiredClaims: none,
			KeyUses: []string{"sig", "jwt-svid"},
		},
	}
}
