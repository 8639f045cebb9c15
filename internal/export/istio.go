package export

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// Workload is the service whose policies are written as objects of Istio.
type Workload struct {
	// Name is the name of the objects.
	Name string
	// Namespace is that of the service.
	Namespace string
	// Labels select its pods. None: the whole namespace.
	Labels map[string]string
	// Host is the host that its callers name, for the VirtualService.
	Host string
	// Domain is the trust domain of names of peers.
	Domain principal.TrustDomain
}

type object struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       any      `yaml:"spec"`
}

type metadata struct {
	Name      string `yaml:"name"`
	Namespace string `yaml:"namespace"`
}

type authorization struct {
	Selector *selector `yaml:"selector,omitempty"`
	Action   string    `yaml:"action"`
	Rules    []rule    `yaml:"rules"`
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type rule struct {
	To   []to        `yaml:"to"`
	When []condition `yaml:"when,omitempty"`
}

type to struct {
	Operation operation `yaml:"operation"`
}

type operation struct {
	Paths []string `yaml:"paths"`
}

type condition struct {
	Key    string   `yaml:"key"`
	Values []string `yaml:"values"`
}

type virtualService struct {
	Hosts []string `yaml:"hosts"`
	HTTP  []route  `yaml:"http"`
}

type route struct {
	Match   []match       `yaml:"match,omitempty"`
	Route   []destination `yaml:"route"`
	Timeout string        `yaml:"timeout,omitempty"`
	Retries retries       `yaml:"retries"`
}

type match struct {
	URI exact `yaml:"uri"`
}

type exact struct {
	Exact string `yaml:"exact"`
}

type destination struct {
	Destination struct {
		Host string `yaml:"host"`
	} `yaml:"destination"`
}

type retries struct {
	Attempts      int    `yaml:"attempts"`
	RetryOn       string `yaml:"retryOn,omitempty"`
	PerTryTimeout string `yaml:"perTryTimeout,omitempty"`
	Backoff       string `yaml:"backoff,omitempty"`
}

// retryWords are the words of Istio's retryOn for codes of gRPC.
func retryWords() map[codes.Code]string {
	return map[codes.Code]string{
		codes.Canceled: "cancelled", codes.DeadlineExceeded: "deadline-exceeded", codes.Internal: "internal",
		codes.ResourceExhausted: "resource-exhausted", codes.Unavailable: "unavailable",
	}
}

// Istio writes the policies of methods as an AuthorizationPolicy for calls that they allow, one for those that they
// deny, and a VirtualService with their deadlines and retries. A demand that Istio cannot make is an error, because
// the objects would let calls through that the policy refuses. What only differs is in the notes, which stand as
// comments in the text, too.
func Istio(methods []policy.Method, in Workload) ([]byte, []Note, error) {
	var w istioWriter
	w.in = in
	allow := authorization{Action: "ALLOW", Rules: []rule{}}
	deny := authorization{Action: "DENY", Rules: []rule{}}
	if len(in.Labels) > 0 {
		allow.Selector = &selector{in.Labels}
		deny.Selector = allow.Selector
	}
	calls := virtualService{Hosts: []string{in.Host}, HTTP: []route{}}
	for i := range methods {
		m := &methods[i]
		w.auth(m, &allow, &deny)
		calls.HTTP = append(calls.HTTP, w.route(m))
	}
	if err := errors.Join(w.errs...); err != nil {
		return nil, nil, err
	}
	// Istio answers calls that no route takes with an error, and repeats those of a route that says nothing about it.
	calls.HTTP = append(calls.HTTP, route{Route: destinations(in.Host)})
	const security, networking = "security.istio.io/v1", "networking.istio.io/v1"
	objects := []object{{security, "AuthorizationPolicy", metadata{in.Name, in.Namespace}, allow}}
	if len(deny.Rules) > 0 {
		objects = append(objects, object{security, "AuthorizationPolicy", metadata{in.Name + "-deny", in.Namespace}, deny})
	}
	if in.Host != "" {
		objects = append(objects, object{networking, "VirtualService", metadata{in.Name, in.Namespace}, calls})
	}
	var text bytes.Buffer
	for _, note := range w.notes {
		fmt.Fprintf(&text, "# not exported: %s\n", strings.ReplaceAll(note.String(), "\n", " "))
	}
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	for _, o := range objects {
		if err := encoder.Encode(o); err != nil {
			return nil, nil, err
		}
	}
	return text.Bytes(), w.notes, encoder.Close()
}

type istioWriter struct {
	writer

	in   Workload
	errs []error
}

// refuse reports a demand that Istio cannot make.
func (w *istioWriter) refuse(m *policy.Method, field string, source policy.Source, what string) {
	w.errs = append(w.errs, fmt.Errorf("%s: %s: %s, which Istio cannot demand, so that the export would let in callers "+
		"whom the policy keeps out (%s)", m.Name, field, what, source))
}

// auth adds the rules of one method. Without a rule no call of a method passes, because there is an ALLOW policy.
func (w *istioWriter) auth(m *policy.Method, allow, deny *authorization) {
	a := m.Auth
	only := []to{{operation{[]string{m.Name}}}}
	r := rule{To: only}
	switch a.Access.Value {
	case policy.AccessUnspecified:
		w.note(m, "auth.access", a.Access.Source, "no statement decides about it, so that no call passes")
		return
	case policy.AccessDenied:
		return
	case policy.AccessPeers:
		if len(a.Peers) == 0 {
			return
		}
	case policy.AccessAuthenticated:
		w.note(m, "auth.access", a.Access.Source, "only callers of the trust domain %v pass", w.in.Domain)
		r.When = append(r.When, condition{"source.principal", []string{w.in.Domain.String() + "/*"}})
	case policy.AccessAnonymous:
	}
	if a.Carrier.Stated() {
		w.note(m, "auth.carrier", a.Carrier.Source, "Istio knows callers by their connection alone, which is the strongest")
	}
	for _, list := range a.Peers {
		r.When = append(r.When, w.callers(m, "auth.peers", list.Source, list.Value))
	}
	for _, list := range a.Allow {
		var peers []string
		for _, stated := range list.Value {
			if !onlyPeers(stated) {
				w.refuse(m, "auth.allow", stated.Source, "the rule "+stated.Name+" asks for more than peers")
			}
			peers = append(peers, stated.Peers...)
		}
		r.When = append(r.When, w.callers(m, "auth.allow", list.Source, peers))
	}
	for _, stated := range a.Deny {
		if !onlyPeers(stated) {
			w.refuse(m, "auth.deny", stated.Source, "the rule "+stated.Name+" asks for more than peers")
			continue
		}
		when := []condition{w.callers(m, "auth.deny", stated.Source, stated.Peers)}
		deny.Rules = append(deny.Rules, rule{To: only, When: when})
	}
	if len(a.Scopes.Value) > 0 {
		w.refuse(m, "auth.scopes", a.Scopes.Source, "it demands scopes of the caller's token")
	}
	if a.Proof.Stated() && a.Proof.Value != policy.ProofSession {
		w.refuse(m, "auth.proof", a.Proof.Source, "it demands a proof with each call")
	}
	for _, guard := range a.Guards {
		w.refuse(m, "guard", policy.Source{Kind: policy.KindFile, Place: guard.String()},
			"rules of another kind decide beside the policy; export their own files with it")
	}
	r.When = append(r.When, w.user(m, a.User)...)
	if m.Trial.Access.Stated() || len(m.Trial.Deny)+len(m.Trial.Guards) > 0 || m.Trial.Carrier.Stated() ||
		m.Trial.User.Stated() {
		w.note(m, "auth.dry_run", m.Trial.Access.Source, "what is on trial is left out")
	}
	allow.Rules = append(allow.Rules, r)
}

// onlyPeers reports whether a rule asks for nothing but peers.
func onlyPeers(r policy.Rule) bool {
	return len(r.Peers) > 0 && len(r.Audiences)+len(r.Scopes)+len(r.Claims)+len(r.Predicates) == 0 && r.User == nil
}

// callers is the condition that the caller is one of the peers. Istio writes principals without their scheme.
func (w *istioWriter) callers(m *policy.Method, field string, source policy.Source, peers []string) condition {
	c := condition{Key: "source.principal"}
	for _, text := range peers {
		pattern, err := w.in.Domain.ParsePeer(text)
		if err != nil {
			w.errs = append(w.errs, fmt.Errorf("%s: %s: %w (%s)", m.Name, field, err, source))
			continue
		}
		value := strings.TrimPrefix(pattern.String(), principal.Scheme)
		if strings.Contains(strings.TrimSuffix(value, "/*"), "*") || strings.ContainsAny(value, "{}") {
			w.refuse(m, field, source, "the pattern "+text+" is no prefix")
			continue
		}
		if !slices.Contains(c.Values, value) {
			c.Values = append(c.Values, value)
		}
	}
	return c
}

// user are the conditions on the end user.
func (w *istioWriter) user(m *policy.Method, u policy.User) []condition {
	var when []condition
	required := u.Presence.Value == policy.PresenceRequired
	switch {
	case u.Issuers.Stated() && !required:
		w.refuse(m, "auth.user.issuers", u.Issuers.Source, "it demands issuers of the users of some calls")
	case u.Issuers.Stated():
		when = append(when, condition{"request.auth.claims[iss]", u.Issuers.Value})
	case required:
		when = append(when, condition{"request.auth.principal", []string{"*"}})
	}
	if len(u.Scopes.Value) > 0 {
		w.refuse(m, "auth.user.scopes", u.Scopes.Source, "it demands scopes of the user's token")
	}
	if required {
		w.note(m, "auth.user", u.Presence.Source, "the issuers of users are left out; write a RequestAuthentication with "+
			"them, without which every call is refused")
	}
	return when
}

func destinations(host string) []destination {
	to := make([]destination, 1)
	to[0].Destination.Host = host
	return to
}

// route is the deadline and the retries of one method. Istio retries where a route says nothing about it, so each does.
func (w *istioWriter) route(m *policy.Method) route {
	r := route{Match: []match{{exact{m.Name}}}, Route: destinations(w.in.Host)}
	if m.Deadline.Stated() {
		r.Timeout = m.Deadline.Value.String()
	}
	words := retryWords()
	var sayable []codes.Code
	for code := range words {
		sayable = append(sayable, code)
	}
	a := w.attemptsOf(m, sayable)
	if a.count < 2 {
		return r
	}
	r.Retries = retries{Attempts: a.count - 1, Backoff: a.initial.String()}
	var on []string
	for _, code := range a.codes {
		on = append(on, words[code])
	}
	r.Retries.RetryOn = strings.Join(on, ",")
	if a.limit > 0 {
		r.Retries.PerTryTimeout = a.limit.String()
	}
	if m.Retry.MaxBackoff.Stated() {
		w.note(m, "retry.max_backoff", m.Retry.MaxBackoff.Source, "it cannot be said; waits end at ten times the first one")
	}
	return r
}
