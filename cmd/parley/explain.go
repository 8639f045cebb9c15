package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

type explainCommand struct {
	Method string `arg:"" help:"${explain_method}"`

	Contract    string        `help:"${contract}" placeholder:"FILE" xor:"from" required:""`
	Admin       string        `help:"${explain_admin}" placeholder:"URL" xor:"from" required:""`
	Config      string        `help:"${explain_config}" placeholder:"FILE"`
	TrustDomain string        `help:"${explain_domain}" placeholder:"NAME"`
	As          string        `help:"${explain_as}" placeholder:"ID"`
	TokenFile   string        `help:"${explain_token}" placeholder:"FILE"`
	UserToken   string        `name:"user-token-file" help:"${explain_user}" placeholder:"FILE"`
	Script      string        `help:"${explain_script}" placeholder:"ANSWERS"`
	Deadline    time.Duration `help:"${explain_deadline}" placeholder:"DURATION"`
	Output      string        `help:"How to print a decision: text or json." enum:"text,json" default:"text"`
}

// Run prints the policy of the method, and what it makes of the call that the flags describe.
func (c *explainCommand) Run(ctx context.Context, s streams) error {
	if c.Admin != "" {
		if c.As+c.TokenFile+c.UserToken+c.Script+c.Config != "" {
			return errors.New("--admin shows the policy that is in force, and decides on nothing; give --contract for the " +
				"other flags")
		}
		return c.ask(ctx, s.out)
	}
	set, err := readContract(c.Contract)
	if err != nil {
		return err
	}
	config, layer, err := readConfig(c.Config)
	if err != nil {
		return err
	}
	table, err := policy.FromDescriptors(set, layer)
	if err != nil {
		return err
	}
	name, err := findMethod(set, c.Method)
	if err != nil {
		return err
	}
	method, err := table.Method(name)
	if err != nil {
		return err
	}
	switch {
	case c.Script != "":
		if err := link(set); err != nil {
			return err
		}
		return play(ctx, s.out, table, name, c.Script, c.Deadline)
	case c.As != "" || c.TokenFile != "" || c.UserToken != "":
		domain := c.TrustDomain
		if domain == "" {
			domain = config.GetIdentity().GetTrustDomain()
		}
		if domain == "" {
			domain = defaultTrustDomain
		}
		issuers := make([]string, 0, len(config.GetUsers().GetIssuers()))
		for _, issuer := range config.GetUsers().GetIssuers() {
			issuers = append(issuers, issuer.GetIssuer())
		}
		return c.decide(ctx, s.out, method, domain, config.GetIdentity().GetAcceptDomains(), issuers)
	default:
		return method.Describe(s.out)
	}
}

// defaultTrustDomain is that of a service whose configuration names none.
const defaultTrustDomain = "local"

// decide prints how the policy comes to its decision on the call.
func (c *explainCommand) decide(
	ctx context.Context, out io.Writer, method policy.Method, name string, accepted, issuers []string,
) error {
	domain, err := principal.ParseTrustDomain(name)
	if err != nil {
		return err
	}
	call := policy.Call{Method: method.Name}
	if c.As != "" || c.TokenFile != "" {
		if call.Peer, err = c.peer(domain); err != nil {
			return err
		}
	}
	if c.UserToken != "" {
		claims, err := claimsOf(c.UserToken)
		if err != nil {
			return err
		}
		user := &principal.User{Claims: claims, Scopes: scopesOf(claims)}
		user.Issuer, _ = claims.String("iss")
		user.Subject, _ = claims.String("sub")
		if len(issuers) == 0 {
			issuers = []string{user.Issuer} // without a configuration, every user is one whom the server accepts
		}
		call.User = user
	}
	compiled, err := decide.Compile(method, &decide.Server{
		Domain: domain,
		Accepts: func(d principal.TrustDomain) bool {
			return d == domain || slices.Contains(accepted, d.String())
		},
		Tokens:      true,
		UserIssuers: issuers,
	})
	if err != nil {
		return err
	}
	explanation := compiled.Explain(ctx, &call)
	if err := c.print(out, explanation); err != nil {
		return err
	}
	if !explanation.Allowed {
		return errNo
	}
	return nil
}

func (c *explainCommand) print(out io.Writer, e policy.Explanation) error {
	if c.Output == "json" {
		return printJSON(out, explanationOf(e))
	}
	text := e.String()
	if c.TokenFile+c.UserToken != "" {
		text += "the tokens were read, not verified\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// explanationJSON is an explanation as JSON.
type explanationJSON struct {
	Method  string           `json:"method"`
	Allowed bool             `json:"allowed"`
	Reason  string           `json:"reason,omitempty"`
	Why     string           `json:"why,omitempty"`
	Steps   []stepJSON       `json:"steps"`
	Trial   *explanationJSON `json:"trial,omitempty"`
}

type stepJSON struct {
	Asked   string `json:"asked"`
	Rule    string `json:"rule,omitempty"`
	Outcome string `json:"outcome"`
	Source  string `json:"source"`
}

func explanationOf(e policy.Explanation) explanationJSON {
	result := explanationJSON{
		Method: e.Method, Allowed: e.Allowed, Reason: string(e.Reason), Why: e.Why, Steps: []stepJSON{},
	}
	for _, s := range e.Steps {
		result.Steps = append(result.Steps, stepJSON{s.Asked, s.Rule, s.Outcome, s.Source.String()})
	}
	if e.Trial != nil {
		trial := explanationOf(*e.Trial)
		result.Trial = &trial
	}
	return result
}

// peer is the caller that the flags describe: proven by its connection, or by its token where there is one.
func (c *explainCommand) peer(domain principal.TrustDomain) (*principal.Peer, error) {
	peer := &principal.Peer{Carrier: principal.CarrierConnection, Expires: time.Now().Add(time.Hour)}
	as := c.As
	if c.TokenFile != "" {
		claims, err := claimsOf(c.TokenFile)
		if err != nil {
			return nil, err
		}
		peer.Carrier, peer.Claims, peer.Scopes = principal.CarrierToken, claims, scopesOf(claims)
		if audience, ok := claims.String("aud"); ok {
			peer.Audiences = []string{audience}
		} else {
			peer.Audiences, _ = claims.Strings("aud")
		}
		if as == "" {
			as, _ = claims.String("sub")
		}
	}
	pattern, err := domain.ParsePeer(as)
	if err != nil {
		return nil, fmt.Errorf("--as: %w", err)
	}
	id, ok := pattern.(principal.ID)
	if !ok {
		return nil, fmt.Errorf("--as: %s is a pattern, and a caller is one workload", as)
	}
	peer.ID = id
	return peer, nil
}

// claimsOf reads the claims of the token in a file.
func claimsOf(path string) (principal.Claims, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return principal.Claims{}, err
	}
	_, rest, _ := strings.Cut(string(bytes.TrimSpace(data)), ".")
	payload, _, ok := strings.Cut(rest, ".")
	if !ok {
		return principal.Claims{}, fmt.Errorf("%s holds no JWT, which has three parts with dots between them", path)
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return principal.Claims{}, fmt.Errorf("%s: the payload of the token: %w", path, err)
	}
	claims, err := principal.ParseClaims(text)
	if err != nil {
		return principal.Claims{}, fmt.Errorf("%s: the claims of the token: %w", path, err)
	}
	return claims, nil
}

// scopesOf are the scopes of an access token (RFC 9068).
func scopesOf(claims principal.Claims) []string {
	text, _ := claims.String("scope")
	return strings.Fields(text)
}

// adminTimeout bounds the wait for the answer of a running service.
const adminTimeout = 10 * time.Second

// ask asks a running service for the policy that is in force.
func (c *explainCommand) ask(ctx context.Context, out io.Writer) error {
	address := strings.TrimSuffix(c.Admin, "/") + "/policies"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := (&http.Client{Timeout: adminTimeout}).Do(request)
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("--admin: %s answers %s; is it the admin surface of a service?", request.URL, response.Status)
	}
	return describeAnswer(io.LimitReader(response.Body, 16<<20), out, c.Method)
}
