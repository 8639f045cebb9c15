package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/parley-rpc/parley/internal/export"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

type exportCommand struct {
	Format   string   `help:"${export_format}" enum:"service-config,istio" required:""`
	Contract string   `help:"${contract}" placeholder:"FILE" required:""`
	Config   string   `help:"${explain_config}" placeholder:"FILE"`
	Serves   []string `help:"${export_serves}" placeholder:"NAME"`

	Client string `help:"${export_client}" placeholder:"NAME"`

	Name        string            `help:"${export_name}" default:"parley" placeholder:"NAME"`
	Namespace   string            `help:"Namespace of the service, for istio." placeholder:"NAME"`
	Label       map[string]string `help:"${export_label}" placeholder:"NAME=VALUE"`
	Host        string            `help:"${export_host}" placeholder:"HOST"`
	TrustDomain string            `help:"${explain_domain}" placeholder:"NAME"`
}

// Run prints the policies in the other format, and what it cannot say on the other stream.
func (c *exportCommand) Run(s streams) error {
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
	var methods []policy.Method
	for _, name := range methodsOf(set) {
		m, err := table.Method(name)
		if err != nil {
			return err
		}
		if len(c.Serves) == 0 || slices.Contains(c.Serves, serviceOf(name)) {
			methods = append(methods, m)
		}
	}
	if len(methods) == 0 {
		return errors.New("--serves: the contract has no method of these services; name them with their packages")
	}
	domain, err := principal.ParseTrustDomain(cmp.Or(c.TrustDomain, config.trustDomain()))
	if err != nil {
		return err
	}
	if c.Format == "istio" && c.Namespace == "" {
		return errors.New("--namespace: Istio's objects have a namespace; give that of the service")
	}
	var text []byte
	var notes []export.Note
	if c.Format == "istio" {
		text, notes, err = export.Istio(methods, export.Workload{
			Name: c.Name, Namespace: c.Namespace, Labels: c.Label, Host: c.Host, Domain: domain,
		})
	} else {
		text, notes, err = export.ServiceConfig(methods, c.budget(config))
	}
	if err != nil {
		_, printed := fmt.Fprintln(s.err, err)
		return errors.Join(printed, errNo)
	}
	for _, note := range notes {
		if _, err := fmt.Fprintln(s.err, "not exported:", note); err != nil {
			return err
		}
	}
	_, err = s.out.Write(text)
	return err
}

// budget is the retry budget of the client, or the usual one.
func (c *exportCommand) budget(config configuration) export.Budget {
	budget := export.UsualBudget()
	stated := config.GetClients()[c.Client].GetRetryBudget()
	if stated != nil && stated.Max != nil {
		budget.Max = float64(stated.GetMax())
	}
	if stated != nil && stated.Ratio != nil {
		budget.Ratio = stated.GetRatio()
	}
	return budget
}
