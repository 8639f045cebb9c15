package issuer

import (
	"errors"
	"fmt"
	"time"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/turnstile"
	"github.com/parley-rpc/parley/principal"
)

// WithIdentities issues workload identity tokens (wit+jwt) for the workloads of a trust domain, such as "shop.example",
// to which auth.Issued refers. The issuer must be the only one for this trust domain. A registered service gets one for
// its registered key, if [Client.Identity] is set. Other workloads get one for a key of their own, with a token of one
// of the authorities. No two of them may name the same workload. By default no identity tokens are issued.
func WithIdentities(domain string, authorities ...Bootstrap) Option {
	text := fmt.Sprintf("issuer.WithIdentities(%q", domain)
	for _, b := range authorities {
		text += fmt.Sprintf(", %q", b.Name)
	}
	return option{text + ")", func(c *config) {
		c.identities, c.identityDomain = c.identities+1, domain
		c.authorities = append(c.authorities, authorities...)
	}}
}

// WithIdentityLifetime sets how long an identity token is valid, from 1 minute to 1 hour, which is the default. A
// workload gets a new one after 70 to 86 percent of this time. A connection ends with the token that proved it.
func WithIdentityLifetime(d time.Duration) Option {
	return option{fmt.Sprintf("issuer.WithIdentityLifetime(%v)", d), func(c *config) { c.identityLife = d }}
}

// identities are the trust domain that the issuer vouches for, and the authorities that know its workloads.
type identities struct {
	issuer      string
	domain      principal.TrustDomain
	authorities []*bootstrap
	turn        turnstile.Turnstile
}

// newIdentities checks what was stated. It returns nil if identity tokens are not issued.
func newIdentities(name string, c *config, registry Registry, turn turnstile.Turnstile) (*identities, error) {
	if c.identities == 0 {
		return nil, nil //nolint:nilnil // as it says above
	}
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("issuer: WithIdentities: "+format, args...))
	}
	if c.identities > 1 {
		wrong("it is there twice; an issuer vouches for one trust domain, so keep one")
	}
	domain, err := principal.ParseTrustDomain(c.identityDomain)
	if err != nil {
		wrong("%w", err)
		return nil, errors.Join(errs...)
	}
	if c.transactions && c.domain != c.identityDomain {
		wrong("the trust domain is %s and that of WithTransactions %s; name the same", domain, quote.Text(c.domain))
	}
	ids := &identities{issuer: name, domain: domain, turn: turn}
	for _, stated := range c.authorities {
		b, err := stated.compile(name, domain)
		errs = append(errs, err)
		for _, other := range ids.authorities {
			if b.profile.SharesName(other.profile) {
				wrong("%s is there twice; keep one", quote.Text(stated.Name))
			}
			if shared, ok := b.shares(other); ok {
				wrong("%s and %s can both name %s; each workload has one authority, so take it from one of them",
					quote.Text(other.profile.Name), quote.Text(stated.Name), shared)
			}
		}
		ids.authorities = append(ids.authorities, b)
	}
	if static, ok := registry.(*Static); ok && static != nil {
		for _, client := range static.clients {
			if client.Identity {
				errs = append(errs, ids.checkClient(client))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return ids, nil
}

// checkClient returns why a registered service must not get an identity token, or nil.
func (ids *identities) checkClient(c Client) error {
	id, err := principal.ParseID(c.ID)
	switch {
	case err != nil:
		return err
	case id.TrustDomain() != ids.domain:
		return fmt.Errorf("issuer: client %s: Identity: it is not of the trust domain %s, which the issuer vouches for",
			quote.Text(c.ID), ids.domain)
	}
	for _, b := range ids.authorities {
		if b.names(id) {
			return fmt.Errorf("issuer: client %s: Identity: tokens of %s can name it, too; each workload has one authority, "+
				"so remove one", quote.Text(c.ID), quote.Text(b.profile.Name))
		}
	}
	return nil
}
