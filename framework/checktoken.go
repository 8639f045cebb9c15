package framework

import (
	"context"
	"errors"
	"slices"

	"github.com/parley-rpc/parley/interceptors/auth"
)

// TokenReport is the result of checking a token for one configured issuer.
type TokenReport struct {
	// Place is where the issuer stands, such as users.issuers[0].
	Place string

	auth.TokenReport
}

// CheckToken explains a token for the configured issuers of end users and of workloads: the issuer of the token, the
// result of each check, and for a failed check the setting that would accept the token, with its cost. There is a
// report for each issuer that the token names, or, where it names none, one for each issuer, which says so. A report
// does not contain usable parts of the token. Transaction tokens are not explained.
//
// It waits for the keys of the issuers, within ctx. It returns the error of [App.Check], or an error if no issuer is
// configured.
func (a *App) CheckToken(ctx context.Context, token string) ([]TokenReport, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	p := &a.parts
	vouching := slices.Clone(p.vouching)
	for _, rule := range p.userRules.Rules() {
		vouching = append(vouching, placedIssuer{place: rule.Place, issuer: rule.Trusted})
	}
	if len(vouching) == 0 {
		return nil, errors.New(
			"no issuer of tokens is configured; state one in users.issuers or in the issuers of a server",
		)
	}
	var named, all []TokenReport
	var errs []error
	for n, v := range vouching {
		if err := v.issuer.Keys.Ready(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		report, err := p.identity.CheckToken(ctx, token, v.issuer)
		if err == nil && report.Issuer != "" {
			// The issuers behind it say whether the token of a user is that of a workload.
			behind := []auth.Issuer{v.issuer}
			for other, o := range vouching {
				if other != n {
					behind = append(behind, o.issuer)
				}
			}
			report, err = p.identity.CheckToken(ctx, token, behind...)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if v.shortKeys {
			useShortKeys(report)
		}
		placed := TokenReport{v.place, report}
		all = append(all, placed)
		if report.Issuer != "" {
			named = append(named, placed)
		}
	}
	if named != nil {
		return named, nil
	}
	return all, errors.Join(errs...)
}

// useShortKeys names the setting of an issuer whose keys are stated in their short form, beside which no other may
// stand.
func useShortKeys(report auth.TokenReport) {
	for _, c := range report.Checks {
		for n := range c.Remedies {
			if c.Remedies[n].Setting == "keys.algorithms" {
				c.Remedies[n].Setting = "algorithms"
			}
		}
	}
}
