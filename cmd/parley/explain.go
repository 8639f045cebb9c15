package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/question"
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
	asked := question.Call{Method: method.Name, As: c.As, AsName: "--as"}
	if asked.Token, err = readDocument(c.TokenFile); err != nil {
		return err
	}
	if asked.User, err = readDocument(c.UserToken); err != nil {
		return err
	}
	call, err := known.Read(asked, domain)
	if refused, ok := errors.AsType[question.RefusedError](err); ok {
		why := policy.Explanation{
			Method: method.Name, Reason: rpcerr.CredentialsInvalid, Why: refused.Error(), Steps: []policy.Step{},
		}
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
		UserIssuers: known.OfUsers(method, call.User),
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
		return printJSON(out, e)
	}
	text := e.String()
	if c.TokenFile+c.UserToken != "" {
		text += "the tokens were read, not verified\n"
	}
	_, err := io.WriteString(out, text)
	return err
}

// issuersOf are the issuers of tokens that a configuration names.
func issuersOf(config configuration, domain principal.TrustDomain) (*question.Issuers, error) {
	if config.path == "" {
		return new(question.Issuers), nil
	}
	return question.Configured(config.Config, config.states, domain)
}

// readDocument reads a token in a file. Without a path there is none.
func readDocument(path string) (*question.Document, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // as it says above
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user names it
	return &question.Document{Name: path, Text: data}, err
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
