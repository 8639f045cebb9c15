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
// does not contain usable parts of the token. Transaction tokens are not explained, and the trust directory is not
// asked whether it has a key of the workload that a token names.
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
		vouching = append(vouching, placedIssuer{rule.Place, rule.Trusted})
	}
	if len(vouching) == 0 {
		return nil, errors.New(
			"no issuer of tokens is configured; state one in users.issuers or in the issuers of a server",
		)
	}
	var named, all []TokenReport
	var errs []error
	var workloads []auth.Issuer
	for _, v := range vouching {
		if v.issuer.Principals != nil {
			workloads = append(workloads, v.issuer)
		}
	}
	for _, v := range vouching {
		if err := v.issuer.Keys.Ready(ctx); err != nil {
			errs = append(errs, err)
			continue
		}
		report, err := auth.CheckToken(ctx, p.identity.ID(), token, v.issuer)
		if err == nil && report.Issuer != "" {
			report, err = auth.CheckToken(ctx, p.identity.ID(), token, append([]auth.Issuer{v.issuer}, workloads...)...)
		}
		if err != nil {
			errs = append(errs, err)
			continue
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
