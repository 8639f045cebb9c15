package framework

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// Describe writes a description of the App: its options, its identity, its servers with the effective policy of every
// method and the source of each value, its clients, and its chains. It may be called at any time, even if Check returns
// mistakes. The description contains no secrets.
func (a *App) Describe(w io.Writer) error {
	a.prepare()
	a.mu.Lock()
	servers, clients := a.servers, a.clients
	a.mu.Unlock()

	var b bytes.Buffer
	fmt.Fprintf(&b, "service %s\n", a.name)
	for _, o := range a.options {
		if o != nil {
			fmt.Fprintf(&b, "  %s\n", o)
		}
	}
	b.WriteString("identity ")
	switch {
	case a.insecure:
		b.WriteString("none: WithInsecureDev\n")
	case a.parts.identity == nil:
		b.WriteString("none\n")
	default:
		fmt.Fprintf(&b, "%s\n  %v\n", a.parts.identity.ID(), a.parts.identity)
	}
	a.parts.describeIssuers(&b)
	a.parts.file.describe(&b)
	a.parts.describeSources(&b)
	addrs := a.surfaceAddresses()
	for _, s := range []struct{ name, addr string }{
		{"probes", addrs.probes}, {"metrics", addrs.metrics}, {"admin", addrs.admin},
	} {
		if s.addr != "" {
			fmt.Fprintf(&b, "%s http://%s\n", s.name, s.addr)
		}
	}
	if len(servers) > 0 {
		times := a.parts.lifecycle()
		fmt.Fprintf(&b, "stop within %v of %v\n", times.longest(), times.total)
	}
	for _, s := range servers {
		s.describe(&b)
	}
	for _, c := range clients {
		c.describe(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// describeSources lists the policy sources, with what they state and nothing here enforces.
func (p *parts) describeSources(b *bytes.Buffer) {
	for _, s := range p.sources {
		fmt.Fprintf(b, "policies from %v\n", s.files)
		for _, note := range s.currentNotes() {
			fmt.Fprintf(b, "  not enforced: %v\n", note)
		}
	}
}

func (s *Server) describe(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nserver %s", s.listenAddr())
	if s.service != "" {
		fmt.Fprintf(b, " as %s", s.service)
	}
	b.WriteString("\n")
	for _, o := range s.options {
		if o != nil {
			fmt.Fprintf(b, "  %s\n", o)
		}
	}
	if s.controlled() {
		s.describeControl(b)
	}
	fmt.Fprintf(b, "  %s\n", s.pings())
	_, _ = s.makeGate() // for the chain; Check reports its error
	fmt.Fprintf(b, "  chain: %s > handler\n", joinSteps(s.chain()))
	for _, name := range s.methods() {
		if m, err := s.app.parts.table.Method(name); err == nil {
			indent(b, m.String())
		} else {
			indent(b, name+": "+err.Error())
		}
	}
}

func (c *Client) describe(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nclient %s\n", c.name)
	for _, o := range c.options {
		if o != nil {
			fmt.Fprintf(b, "  %s\n", o)
		}
	}
	fmt.Fprintf(b, "  target: %s\n", c.effectiveTarget())
	if c.controlled() {
		c.describeControl(b)
	} else {
		fmt.Fprintf(b, "  balancing: %s\n", c.describeBalancing())
	}
	c.describeRoutes(b)
	fmt.Fprintf(b, "  %s\n", c.pings())
	shown := &channel{retrier: &retry.Retrier{}} // only for the names of the steps; no call uses it
	if c.app.parts.identity != nil {
		shown.auth = &auth.Channel{}
		if expected, err := c.expected(); err != nil {
			fmt.Fprintf(b, "  expects: %v\n", err)
		} else {
			fmt.Fprintf(b, "  expects: %v\n", expected)
		}
		options, _ := c.authOptions() // Check reports its error
		for _, o := range options {
			fmt.Fprintf(b, "  %s\n", o)
		}
	}
	fmt.Fprintf(b, "  chain: %s > wire\n", joinSteps(c.chain(shown)))
}

// describeRoutes writes what the routes of a mesh state about the called host, each with its place.
func (c *Client) describeRoutes(b *bytes.Buffer) {
	statements := c.table().Statements()
	if len(statements) == 0 {
		return
	}
	fmt.Fprintf(b, "  host: %s\n", c.meshHost())
	for _, s := range statements {
		fmt.Fprintf(b, "    %s: %s (%s)\n", s.Name, s.Value, s.Source)
	}
}

func joinSteps[U, S any](steps []step[U, S]) string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.name
	}
	return strings.Join(names, " > ")
}

func indent(b *bytes.Buffer, text string) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		b.WriteString("  " + line)
	}
	b.WriteString("\n")
}
