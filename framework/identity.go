package framework

import (
	"errors"
	"fmt"
	"strings"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/principal"
)

func (a *App) assembleIdentity(p *parts) error {
	conf := p.config.GetIdentity()
	name := conf.GetTrustDomain()
	if name == "" {
		name = defaultTrustDomain
	}
	if a.identity != nil {
		p.identity, p.domain = a.identity, a.identity.ID().TrustDomain()
		var errs []error
		if a.insecure {
			errs = append(errs, errors.New("WithInsecureDev and WithIdentity contradict each other; keep the identity"))
		}
		if conf != nil {
			errs = append(
				errs,
				errors.New("WithIdentity and the identity section of the configuration contradict each other; keep one of them"),
			)
		}
		return errors.Join(append(errs, p.identity.Check())...)
	}
	var err error
	if p.domain, err = principal.ParseTrustDomain(name); err != nil {
		return fmt.Errorf("identity.trust_domain: %w", err)
	}
	self, err := p.domain.ID(a.name)
	if err != nil {
		return fmt.Errorf("New(%q): the name of a service is also its name in the trust domain: %w", a.name, err)
	}
	switch {
	case a.insecure && (len(statedIdentities(conf)) > 0 || conf.GetKeyFile() != ""):
		return errors.New(
			"WithInsecureDev and the identity section of the configuration contradict each other; " +
				"remove WithInsecureDev to use the identity",
		)
	case a.insecure:
		return nil
	case p.unread:
		return nil
	case len(statedIdentities(conf)) == 0:
		return errors.New(
			"this App has no identity; set identity.trust_dir (PARLEY_IDENTITY_TRUST_DIR) to the directory with the services' " +
				"public keys and identity.key_file to the private key, or identity.issued to the issuers that vouch for " +
				"services, or identity.kubernetes to the issuer that knows this pod, or pass WithIdentity; for a first " +
				"try on one machine WithInsecureDev runs without",
		)
	case len(statedIdentities(conf)) > 1:
		return fmt.Errorf("%s contradict each other; keep one of them", strings.Join(statedIdentities(conf), " and "))
	}
	options, err := a.identityOptions(conf, p)
	switch {
	case conf.GetIssued() != nil:
		issuers, issuedErr := p.identityIssuers(conf)
		if err := errors.Join(err, issuedErr); err != nil {
			return err
		}
		p.identity = auth.Issued(self, tokens.File(conf.GetIssued().GetTokenFile()), issuers, options...)
	case conf.GetKubernetes() != nil:
		if err := errors.Join(err, checkPodIdentity(conf)); err != nil {
			return err
		}
		stated := conf.GetKubernetes()
		keys, err := p.readKeys("identity.kubernetes", stated.GetIssuer(), podKeys(stated))
		if err != nil {
			return err
		}
		if p.identity, err = podIdentity(self, stated, keys, p.transport, options); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		p.identity = auth.TrustDir(conf.GetTrustDir(), self, options...)
	}
	p.ownsIdentity = true
	return atPlace("identity", p.identity.Check())
}

// statedIdentities are the kinds of identity in the configuration, of which there may be one.
func statedIdentities(conf *configv1.Identity) []string {
	var stated []string
	if conf.GetTrustDir() != "" {
		stated = append(stated, "identity.trust_dir")
	}
	if conf.GetIssued() != nil {
		stated = append(stated, "identity.issued")
	}
	if conf.GetKubernetes() != nil {
		stated = append(stated, "identity.kubernetes")
	}
	return stated
}

// vouchedFor reports whether an issuer vouches for this service by configuration.
func (p *parts) vouchedFor() bool {
	identity := p.config.GetIdentity()
	return identity.GetIssued() != nil || identity.GetKubernetes() != nil
}

func (a *App) identityOptions(conf *configv1.Identity, p *parts) ([]auth.Option, error) {
	options := []auth.Option{auth.WithLogger(p.logger)}
	if conf.GetKeyFile() != "" {
		options = append(options, auth.WithKeyFile(conf.GetKeyFile()))
	}
	if conf.GetEnroll() == configv1.Enroll_ENROLL_SELF {
		options = append(options, auth.WithEnroll())
	}
	if conf.GetMaxConnectionAge() != nil {
		options = append(options, auth.WithMaxConnectionAge(conf.GetMaxConnectionAge().AsDuration()))
	}
	var errs []error
	for _, name := range conf.GetAcceptDomains() {
		domain, err := principal.ParseTrustDomain(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("identity.accept_domains: %w", err))
			continue
		}
		options = append(options, auth.WithAcceptDomains(domain))
	}
	return options, errors.Join(errs...)
}

// identityIssuers reads the issuers that vouch for workloads, and refuses settings that contradict them.
func (p *parts) identityIssuers(conf *configv1.Identity) ([]auth.IdentityIssuer, error) {
	var errs []error
	wrong := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New(text))
		}
	}
	issued := conf.GetIssued()
	wrong(
		issued.GetTokenFile() == "", "identity.issued.token_file: set it to the file with the identity token of this service",
	)
	wrong(
		conf.GetKeyFile() == "",
		"identity.key_file: set it to the file with the private key that the identity token confirms",
	)
	wrong(
		len(issued.GetIssuers()) == 0,
		"identity.issued.issuers: add the issuer that vouches for the workloads of this service's trust domain",
	)
	wrong(
		conf.GetEnroll() == configv1.Enroll_ENROLL_SELF,
		"identity.enroll: self is for a trust directory, and an issuer enrolls services itself; remove it",
	)
	wrong(
		len(conf.GetAcceptDomains()) > 0,
		"identity.accept_domains: the trust_domains of identity.issued.issuers are accepted already; remove it",
	)
	var issuers []auth.IdentityIssuer
	for i, stated := range issued.GetIssuers() {
		place := fmt.Sprintf("identity.issued.issuers[%d]", i)
		issuer := auth.IdentityIssuer{Name: stated.GetIssuer()}
		wrong(issuer.Name == "", place+".issuer: set it to the iss of its tokens, byte for byte")
		wrong(
			len(stated.GetTrustDomains()) == 0,
			place+".trust_domains: set it to the trust domains that the issuer may vouch for",
		)
		for _, name := range stated.GetTrustDomains() {
			domain, err := principal.ParseTrustDomain(name)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s.trust_domains: %w", place, err))
			}
			issuer.Domains = append(issuer.Domains, domain)
		}
		var err error
		if issuer.Keys, err = p.readKeys(place, issuer.Name, stated.GetKeys()); err != nil {
			errs = append(errs, err)
		}
		issuers = append(issuers, issuer)
	}
	return issuers, errors.Join(errs...)
}

// identityChecks returns the readiness checks of the identity. With an identity from issuers, the App is not ready
// until it has their keys, because it refuses every peer until then.
func (p *parts) identityChecks() []check {
	if !p.ownsIdentity || !p.vouchedFor() {
		return nil
	}
	return []check{{"identity", p.identity.Ready}}
}
