package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/parley-rpc/parley/framework"
)

type tokenCommand struct {
	Check tokenCheckCommand `cmd:"" help:"${token_check}"`
}

type tokenCheckCommand struct {
	Token   string `arg:"" help:"File that holds the token; - for standard input."`
	Service string `help:"Name of the service, as it gives it to framework.New." required:""`
	Config  string `help:"Its configuration, which names the issuers." placeholder:"FILE" required:""`
	Output  string `help:"How to print the checks: text or json." enum:"text,json" default:"text"`
}

// keysTimeout bounds the wait for the keys of the issuers.
const keysTimeout = 15 * time.Second

// Run prints what the service makes of the token, and never the token.
func (c *tokenCheckCommand) Run(ctx context.Context, s streams) (err error) {
	token, err := readToken(c.Token)
	if err != nil {
		return err
	}
	config, err := readConfig(c.Config)
	if err != nil {
		return err
	}
	app, err := appOf(c.Service, config, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	waiting, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	reports, err := app.CheckToken(waiting, token)
	if err != nil {
		return err
	}
	if err := c.print(s.out, reports); err != nil {
		return err
	}
	if !slices.ContainsFunc(reports, func(r framework.TokenReport) bool { return r.Accepted() }) {
		return errNo
	}
	return nil
}

func readToken(path string) (string, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	} else {
		data, err = os.ReadFile(path) //nolint:gosec // the user names it
	}
	if err != nil {
		return "", fmt.Errorf("the token: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// reportJSON is what one issuer makes of the token, as JSON.
type reportJSON struct {
	Place    string      `json:"place"`
	Issuer   string      `json:"issuer,omitempty"`
	Accepted bool        `json:"accepted"`
	Checks   []checkJSON `json:"checks"`
	Notes    []string    `json:"notes,omitempty"`
}

type checkJSON struct {
	Name     string       `json:"name"`
	Passed   bool         `json:"passed"`
	Problem  string       `json:"problem,omitempty"`
	Remedies []remedyJSON `json:"remedies,omitempty"`
}

type remedyJSON struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Cost    string `json:"cost"`
}

func (c *tokenCheckCommand) print(out io.Writer, reports []framework.TokenReport) error {
	if c.Output == "json" {
		list := make([]reportJSON, 0, len(reports))
		for _, r := range reports {
			list = append(list, reportOf(r))
		}
		return printJSON(out, list)
	}
	var b strings.Builder
	for _, r := range reports {
		verdict := "refused"
		if r.Accepted() {
			verdict = "accepted"
		}
		fmt.Fprintf(&b, "%s %s: %s\n", r.Place, r.Issuer, verdict)
		for _, check := range r.Checks {
			if check.Passed() {
				fmt.Fprintf(&b, "  ok    %s\n", check.Name)
				continue
			}
			fmt.Fprintf(&b, "  FAIL  %s: %s\n", check.Name, check.Problem)
			for _, remedy := range check.Remedies {
				fmt.Fprintf(&b, "        %s: %s would let it pass; %s\n", remedy.Setting, remedy.Value, remedy.Cost)
			}
		}
		for _, note := range r.Notes {
			fmt.Fprintf(&b, "  note  %s\n", note)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func reportOf(r framework.TokenReport) reportJSON {
	report := reportJSON{Place: r.Place, Issuer: r.Issuer, Accepted: r.Accepted(), Checks: []checkJSON{}, Notes: r.Notes}
	for _, check := range r.Checks {
		c := checkJSON{Name: check.Name, Passed: check.Passed(), Problem: check.Problem}
		for _, remedy := range check.Remedies {
			c.Remedies = append(c.Remedies, remedyJSON{remedy.Setting, remedy.Value, remedy.Cost})
		}
		report.Checks = append(report.Checks, c)
	}
	return report
}
