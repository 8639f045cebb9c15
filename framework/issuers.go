package framework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/issuerconfig"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// issuerKeys are the keys of a configured issuer. The App closes them. Issuers with the same configuration of keys
// share a key set, so that it is fetched once.
type issuerKeys struct {
	place  string // in the configuration
	issuer string
	stated *configv1.Keys // nil for the keys of an OpenID provider
	keys   *keyset.Set
}

// same reports whether both are the same key set, read in the same way. Only the keys of an OpenID provider depend on
// the issuer.
func (k issuerKeys) same(other issuerKeys) bool {
	stated, others := k.stated, other.stated
	if stated == nil {
		stated = new(configv1.Keys)
	}
	if others == nil {
		others = new(configv1.Keys)
	}
	provider := stated.GetFile() == "" && stated.GetUrl() == ""
	return proto.Equal(stated, others) && (!provider || k.issuer == other.issuer)
}

// placedIssuer is an issuer and where it stands in the configuration.
type placedIssuer struct {
	place     string
	issuer    auth.Issuer
	shortKeys bool // its keys are stated by keys_file, keys_url and algorithms, or not at all
}

// readIssuer returns the issuer at place in the configuration, and starts keeping its keys fresh.
func (p *parts) readIssuer(place string, stated issuerconfig.Issuer, where *configv1.Keys) (auth.Issuer, error) {
	look, err := issuerconfig.Profile(place, stated, p.file.states)
	keys, keysErr := p.readKeys(place, stated.GetIssuer(), issuerconfig.Keys(where, &look))
	return auth.Issuer{
		Name: stated.GetIssuer(), Keys: keys, Audiences: stated.GetAudiences(), Profile: look, Place: place,
	}, errors.Join(err, keysErr)
}

// readKeys reads the keys of an issuer and starts keeping them fresh.
func (p *parts) readKeys(place, issuer string, stated *configv1.Keys) (*keyset.Set, error) {
	options := []keyset.Option{keyset.WithLogger(p.logger)}
	if p.transport != nil {
		options = append(options, keyset.WithRoundTripper(p.transport))
	}
	if stated != nil && stated.PinnedRoot != nil {
		options = append(options, keyset.WithPinnedRoot(stated.GetPinnedRoot()))
	}
	if stated.GetMaxStale() != nil {
		options = append(options, keyset.WithMaxStale(stated.GetMaxStale().AsDuration()))
	}
	if stated.GetAllowEmpty() {
		options = append(options, keyset.WithAllowEmpty())
	}
	if len(stated.GetUses()) > 0 {
		options = append(options, keyset.WithUses(stated.GetUses()...))
	}
	if len(stated.GetAlgorithms()) > 0 {
		options = append(options, keyset.WithAlgorithms(stated.GetAlgorithms()...))
	}
	fetching, fetchErr := p.fetchOptions(stated)
	options = append(options, fetching...)
	var keys *keyset.Set
	var contradiction error
	switch file, url := stated.GetFile(), stated.GetUrl(); {
	case file != "" && url != "":
		contradiction = fmt.Errorf("%s: the file and the URL of its keys contradict each other; keep one of them", place)
		keys = keyset.File(file, options...)
	case file != "":
		keys = keyset.File(file, options...)
	case url != "":
		keys = keyset.URL(url, options...)
	default:
		keys = keyset.Provider(issuer, options...)
	}
	read := issuerKeys{place, issuer, stated, keys}
	for _, other := range p.keySets {
		if other.same(read) {
			read.keys = other.keys
		}
	}
	p.keySets = append(p.keySets, read)
	if contradiction != nil {
		return read.keys, contradiction
	}
	where, problem := place+".keys", read.keys.Err()
	if problem == nil {
		problem = read.keys.Check()
		if file := stated.GetFile(); problem != nil && !strings.Contains(problem.Error(), file+": does not exist") {
			where = strings.TrimSuffix(where+": "+file, ": ")
		}
	}
	return read.keys, errors.Join(atPlace(place+".keys.client_credentials", fetchErr), atPlace(where, problem))
}

// fetchOptions returns the options for fetching keys.
func (p *parts) fetchOptions(stated *configv1.Keys) (options []keyset.Option, err error) {
	if stated.GetLoopbackHttp() {
		options = append(options, keyset.WithLoopbackHTTP())
	}
	if stated != nil && stated.CaFile != nil {
		options = append(options, keyset.WithCAFile(stated.GetCaFile()))
	}
	if stated != nil && stated.Proxy != nil {
		options = append(options, keyset.WithProxy(stated.GetProxy()))
	}
	if stated != nil && stated.BearerTokenFile != nil {
		options = append(options, keyset.WithBearerTokenFile(stated.GetBearerTokenFile()))
	}
	if stated.GetClientCredentials() == nil {
		return options, nil
	}
	source, err := newTokenEndpoint(stated.GetClientCredentials(), latestWorkload{&p.workload})
	keeper := tokens.Keep(source)
	p.keyTokens = append(p.keyTokens, keeper)
	return append(options, keyset.WithBearerTokens(func(ctx context.Context) (string, error) {
		token, err := keeper.Token(ctx, principal.ID{})
		return token.Value, err
	})), err
}

// assembleWorkloads reads the issuers of bearer tokens for workloads.
func (p *parts) assembleWorkloads() error {
	p.workloads = map[string][]auth.ServerOption{}
	var errs []error
	for _, server := range slices.Sorted(maps.Keys(p.config.GetServers())) {
		for i, stated := range p.config.GetServers()[server].GetIssuers() {
			place := fmt.Sprintf("servers.%s.issuers[%d]", server, i)
			issuer, err := p.readIssuer(place, stated, stated.GetKeys())
			errs = append(errs, err)
			issuer.Shared = stated.GetShared()
			var principalsErr, subjectsErr error
			issuer.Principals, principalsErr = issuerconfig.Principals(
				place+".principals", p.domain, stated.GetPrincipals())
			issuer.Subjects, subjectsErr = issuerconfig.Subjects(place+".subjects", p.domain, stated.GetSubjects())
			if err := errors.Join(principalsErr, subjectsErr); err != nil {
				errs = append(errs, err)
				continue // the server would report what only follows from these mistakes
			}
			errs = append(errs, without(issuer.Check(), errors.Join(errs...)))
			p.workloads[server] = append(p.workloads[server], auth.WithIssuers(issuer))
			p.vouching = append(p.vouching, placedIssuer{place: place, issuer: issuer})
		}
	}
	return errors.Join(errs...)
}

// describeIssuers writes every issuer and the location of its keys.
func (p *parts) describeIssuers(b *bytes.Buffer) {
	if len(p.keySets)+len(p.userRules.Rules()) == 0 {
		return
	}
	b.WriteString("issuers\n")
	for _, set := range p.keySets {
		fmt.Fprintf(b, "  %s  %s  %v\n", set.place, set.issuer, set.keys)
	}
	p.describeUserRules(b)
}

// assembleUsers reads the issuers that vouch for end users.
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
		place := fmt.Sprintf("users.issuers[%d]", i)
		read := issuer(place, stated)
		errs = append(errs, without(read.Check(), errors.Join(errs...)))
		p.users = append(p.users, auth.WithUserIssuers(read))
		p.vouching = append(p.vouching, placedIssuer{place, read, stated.GetKeys() == nil})
	}
	if stated := conf.GetTransactions(); stated != nil {
		p.users = append(p.users, auth.WithTransactionTokens(issuer("users.transactions", stated)))
	}
	if p.userRules != nil {
		p.users = append(p.users, auth.WithUsers(p.userRules))
	}
	return errors.Join(errs...)
}

// userKeys returns the keys of an issuer of users, which have a short form.
func userKeys(place string, stated *configv1.UserIssuer) (*configv1.Keys, error) {
	short := &configv1.Keys{File: stated.KeysFile, Url: stated.KeysUrl, Algorithms: stated.GetAlgorithms()}
	switch {
	case stated.GetKeys() == nil:
		return short, nil
	case short.File != nil || short.Url != nil || len(short.GetAlgorithms()) > 0:
		return stated.GetKeys(), fmt.Errorf(
			"%s: keys_file, keys_url and algorithms are short forms of the fields of keys; set them in keys",
			place,
		)
	default:
		return stated.GetKeys(), nil
	}
}

// checkVouching refuses sections that WithInsecureDev would ignore.
func (a *App) checkVouching() error {
	if !a.insecure {
		return nil
	}
	var errs []error
	if a.parts.config.GetUsers() != nil {
		errs = append(
			errs,
			errors.New(
				"users: WithInsecureDev disables authentication, so the tokens of users are not read; "+
					"remove the section, or configure an identity",
			),
		)
	}
	for _, rule := range a.parts.userRules.Rules() {
		errs = append(
			errs,
			fmt.Errorf("%s: %s: WithInsecureDev disables authentication, so the tokens of users are not read; "+
				"remove the policy source, or configure an identity", rule.Place, rule.Subject),
		)
	}
	for name := range a.parts.workloads {
		errs = append(
			errs,
			fmt.Errorf(
				"servers.%s.issuers: WithInsecureDev disables authentication, so tokens are not read; "+
					"remove the issuers, or configure an identity",
				name,
			),
		)
	}
	return errors.Join(errs...)
}

// assembleUserRules puts the rules of the policy sources in force.
func (p *parts) assembleUserRules() error {
	if !statesUsers(p.sources) {
		return nil
	}
	options := []keyset.Option{keyset.WithLogger(p.logger)}
	if p.transport != nil {
		options = append(options, keyset.WithRoundTripper(p.transport))
	}
	p.userRules = auth.NewUsers(options...)
	change, err := prepareUserRules(p.userRules, p.config.GetUsers().GetIssuers(), p.sources)
	if err != nil {
		return err
	}
	change.Apply()
	return nil
}

// describeUserRules writes the rules in force, with the places that state them and the location of the keys.
func (p *parts) describeUserRules(b *bytes.Buffer) {
	for _, rule := range p.userRules.Rules() {
		fmt.Fprintf(b, "  %s: %s  %s  %v%s\n", rule.Place, rule.Subject, rule.Issuer, rule.Trusted.Keys, audienceRemark(rule))
	}
}
