package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/policy"
)

type diffCommand struct {
	Old string `arg:"" help:"${diff_old}"`
	New string `arg:"" help:"The contract, or the configuration, after the change."`

	Contract  string `help:"${diff_contract}" placeholder:"FILE"`
	OldConfig string `help:"The configuration before the change." placeholder:"FILE"`
	NewConfig string `help:"The configuration after the change." placeholder:"FILE"`
	Output    string `help:"How to print the changes: text or json." enum:"text,json" default:"text"`
}

// methodChange is a change of one method's policy.
type methodChange struct {
	Method string `json:"method"`
	Field  string `json:"field"`
	Effect string `json:"effect"`
	Text   string `json:"text"`
	Source string `json:"source"`
}

// Run prints what changes, and ends with errNo if something opens.
func (c *diffCommand) Run(s streams) error {
	if c.Contract != "" {
		if c.OldConfig+c.NewConfig != "" {
			return errors.New("--contract: with it OLD and NEW are the configurations; leave --old-config and --new-config " +
				"out")
		}
		c.Old, c.OldConfig, c.New, c.NewConfig = c.Contract, c.Old, c.Contract, c.New
	}
	before, known, err := tableOf(c.Old, c.OldConfig)
	if err != nil {
		return err
	}
	after, now, err := tableOf(c.New, c.NewConfig)
	if err != nil {
		return err
	}
	maps.Copy(known, now)
	changes := []methodChange{}
	opens := false
	for _, name := range slices.Sorted(maps.Keys(known)) {
		found, err := c.compare(before, after, name)
		if err != nil {
			return err
		}
		for _, change := range found {
			opens = opens || change.Effect == policy.EffectOpens.String()
		}
		changes = append(changes, found...)
	}
	if err := c.print(s.out, changes); err != nil {
		return err
	}
	if opens {
		return errNo
	}
	return nil
}

// tableOf reads the policies of a contract and a configuration, and the names of the methods of the contract.
func tableOf(contract, config string) (*policy.Table, map[string]bool, error) {
	set, err := readContract(contract)
	if err != nil {
		return nil, nil, err
	}
	read, err := readConfig(config)
	if err != nil {
		return nil, nil, err
	}
	table, err := policy.FromDescriptors(set, read.layer)
	if err != nil {
		return nil, nil, invalid(contract, config, err)
	}
	known := map[string]bool{}
	for _, name := range methodsOf(set) {
		known[name] = true
	}
	return table, known, nil
}

// invalid says in which of the two contracts, and its configuration, a mistake is.
func invalid(contract, config string, err error) error {
	if config != "" {
		contract += " with " + config
	}
	return fmt.Errorf("%s: this contract has a mistake and cannot be compared: %w", contract, err)
}

func (c *diffCommand) compare(before, after *policy.Table, name string) ([]methodChange, error) {
	old, err := before.Method(name)
	if err != nil {
		return nil, invalid(c.Old, c.OldConfig, err)
	}
	now, err := after.Method(name)
	if err != nil {
		return nil, invalid(c.New, c.NewConfig, err)
	}
	one := func(effect policy.Effect, text string) []methodChange {
		source := cmp.Or(now.Auth.Access.Source, old.Auth.Access.Source)
		return []methodChange{{name, "", effect.String(), text, source.String()}}
	}
	switch {
	case !old.Described && now.Auth.Access.Stated():
		return one(policy.EffectOpens, "the method is new, and access to it is "+now.Auth.Access.Value.String()), nil
	case !old.Described:
		return nil, nil
	case !now.Described:
		return one(policy.EffectCloses, "the method is gone"), nil
	}
	var changes []methodChange
	for _, c := range policy.Compare(old, now) {
		changes = append(changes, methodChange{name, c.Field, c.Effect.String(), c.Text, c.Source.String()})
	}
	return append(changes, c.principals(old, now)...), nil
}

func (c *diffCommand) print(out io.Writer, changes []methodChange) error {
	if c.Output == "json" {
		return printJSON(out, changes)
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(out, "no policy changes")
		return err
	}
	last := ""
	var b strings.Builder
	for _, change := range changes {
		if change.Method != last {
			fmt.Fprintln(&b, change.Method)
			last = change.Method
		}
		field := ""
		if change.Field != "" {
			field = change.Field + ": "
		}
		fmt.Fprintf(&b, "  %-8s %s%s (%s)\n", change.Effect, field, change.Text, change.Source)
	}
	_, err := io.WriteString(out, b.String())
	return err
}
