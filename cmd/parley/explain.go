package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
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
	config, err := readConfig(c.Config)
	if err != nil {
		return err
	}
	table, err := policy.FromDescriptors(set, config.layer)
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
		return play(s.out, table, method, c.Script, c.Deadline)
	case c.As != "" || c.TokenFile != "" || c.UserToken != "":
		return c.decide(ctx, s.out, method, config)
	default:
		return method.Describe(s.out)
	}
}

// decide prints how the policy comes to its decision on the call.
func (c *explainCommand) decide(ctx context.Context, out io.Writer, method policy.Method, config configuration) error {
	domain, err := principal.ParseTrustDomain(cmp.Or(c.TrustDomain, config.trustDomain()))
	if err != nil {
		return err
	}
	known, err := issuersOf(config, domain)
	if err != nil {
		return err
	}
	call := policy.Call{Method: method.Name}
	if c.As != "" || c.TokenFile != "" {
		call.Peer, err = c.peer(domain, known)
	}
	if err == nil && c.UserToken != "" {
		call.User, err = known.user(c.UserToken)
	}
	if refused, ok := errors.AsType[refusedError](err); ok {
		why := policy.Explanation{Method: method.Name, Reason: rpcerr.CredentialsInvalid, Why: refused.Error()}
		return errors.Join(c.print(out, why), errNo)
	}
	if err != nil {
		return err
	}
	compiled, err := decide.Compile(method, &decide.Server{
		Domain: domain,
		Accepts: func(d principal.TrustDomain) bool {
			return d == domain || slices.Contains(config.GetIdentity().GetAcceptDomains(), d.String())
		},
		Tokens:      true,
		UserIssuers: known.ofUsers(method, call.User),
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
func (c *explainCommand) peer(domain principal.TrustDomain, known *issuers) (*principal.Peer, error) {
	peer := &principal.Peer{Carrier: principal.CarrierConnection, Expires: time.Now().Add(time.Hour)}
	if c.TokenFile != "" {
		var err error
		if peer, err = known.workload(c.TokenFile); err != nil {
			return nil, err
		}
	}
	if c.As == "" {
		if peer.ID.IsZero() {
			return nil, fmt.Errorf("%s: sub is no ID of a workload; give a configuration with principals for its issuer, "+
				"or --as", c.TokenFile)
		}
		return peer, nil
	}
	pattern, err := domain.ParsePeer(c.As)
	if err != nil {
		return nil, fmt.Errorf("--as: %w", err)
	}
	id, ok := pattern.(principal.ID)
	switch {
	case !ok:
		return nil, fmt.Errorf("--as: %s is a pattern, and a caller is one workload", c.As)
	case !peer.ID.IsZero() && peer.ID != id:
		return nil, fmt.Errorf("--as: the token is that of %v and not of %v; leave one of the two flags out", peer.ID, id)
	}
	peer.ID = id
	return peer, nil
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
