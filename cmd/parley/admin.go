package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/parley-rpc/parley/admin"
)

// describeAnswer prints the policies of an answer of the admin surface that belong to a method.
func describeAnswer(from io.Reader, out io.Writer, method string) error {
	var answer struct {
		Policies []admin.Policy `json:"policies"`
	}
	if err := json.NewDecoder(from).Decode(&answer); err != nil {
		return fmt.Errorf("--admin: what it answers is no list of policies: %w", err)
	}
	wanted := strings.TrimPrefix(method, "/")
	var known []string
	found := false
	for _, p := range answer.Policies {
		name := strings.TrimPrefix(p.Method, "/")
		known = append(known, name)
		if name != wanted && !strings.HasSuffix(name, "/"+wanted) && !strings.HasSuffix(name, "."+wanted) {
			continue
		}
		found = true
		if err := describePolicy(out, name, p); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("the service neither serves nor calls %s; it knows %s", wanted, strings.Join(known, ", "))
	}
	return nil
}

func describePolicy(out io.Writer, name string, p admin.Policy) error {
	if _, err := fmt.Fprintf(out, "/%s (%s)\n", name, p.Kind); err != nil {
		return err
	}
	if p.Problem != "" {
		_, err := fmt.Fprintf(out, "  no policy: %s\n", p.Problem)
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, v := range p.Values {
		fmt.Fprintf(table, "  %s\t%s\t(%s)\n", v.Name, v.Value, v.Source)
	}
	return table.Flush()
}
