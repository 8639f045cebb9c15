package istio_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
	securityv1 "istio.io/api/security/v1beta1"
	typev1 "istio.io/api/type/v1beta1"
)

// random makes policies and calls of a few words, so that they often meet.
type random struct{ *rand.Rand }

func (r random) pick(words ...string) string { return words[r.IntN(len(words))] }

// seldom returns up to three of the words, and mostly none.
func (r random) seldom(words ...string) []string {
	var list []string
	if r.IntN(4) == 0 {
		for range r.IntN(3) + 1 {
			list = append(list, r.pick(words...))
		}
	}
	return list
}

// mesh is that of the random policies.
func randomMesh(folder string) mesh {
	return mesh{
		domain: "mesh.example", aliases: []string{"old.example", "older.test"},
		namespace: "shop", labels: map[string]string{"app": "orders", "version": "v1"}, folder: folder,
	}
}

func (r random) documents() []document {
	var documents []document
	for i := range r.IntN(4) + 1 {
		d := document{namespace: r.pick("shop", "shop", "shop", "istio-system", "dev"), name: fmt.Sprintf("p%d", i)}
		d.spec = r.policy()
		if tried := r.pick("", "", "", "", "true", "false", "1", "T"); tried != "" &&
			d.spec.GetAction() != securityv1.AuthorizationPolicy_AUDIT { // for which Istio refuses it
			d.annotations = map[string]string{dryRun: tried}
		}
		switch r.IntN(10) {
		case 0, 1:
			d.spec.Selector = &typev1.WorkloadSelector{MatchLabels: map[string]string{
				r.pick("app", "version"): r.pick("orders", "v1", "other"),
			}}
		case 2:
			d.spec.Selector = &typev1.WorkloadSelector{}
		case 3, 4:
			for range r.IntN(2) + 1 {
				d.spec.TargetRefs = append(d.spec.TargetRefs, r.target())
			}
		}
		documents = append(documents, d)
	}
	return documents
}

func (r random) target() *typev1.PolicyTargetReference {
	const gateways = "gateway.networking.k8s.io"
	of := []*typev1.PolicyTargetReference{
		{Kind: "Service", Name: "orders"},
		{Kind: "Service", Group: "core", Name: "orders"},
		{Kind: "Service", Name: "payments"},
		{Kind: "Gateway", Group: gateways, Name: "waypoint"},
		{Kind: "Gateway", Group: gateways, Name: "ingress"},
		{Kind: "GatewayClass", Group: gateways, Name: "istio-waypoint"},
		{Kind: "ServiceEntry", Group: "networking.istio.io", Name: "orders"},
	}
	return of[r.IntN(len(of))]
}

func (r random) policy() *securityv1.AuthorizationPolicy {
	const allow, deny, audit = securityv1.AuthorizationPolicy_ALLOW, securityv1.AuthorizationPolicy_DENY,
		securityv1.AuthorizationPolicy_AUDIT
	of := []securityv1.AuthorizationPolicy_Action{allow, allow, allow, deny, deny, audit}
	p := &securityv1.AuthorizationPolicy{Action: of[r.IntN(len(of))]}
	rules := r.IntN(4)
	if p.GetAction() == deny {
		rules = r.IntN(2) + 1
	}
	for range rules {
		p.Rules = append(p.Rules, r.rule())
	}
	return p
}

// rule is seldom {}, which matches every call.
func (r random) rule() *securityv1.Rule {
	rule := &securityv1.Rule{}
	for range r.IntN(3) {
		if s := r.source(); len(listsOfSource(s)) > 0 {
			rule.From = append(rule.From, &securityv1.Rule_From{Source: s})
		}
	}
	for range r.IntN(3) {
		if o := r.operation(); len(listsOfOperation(o)) > 0 {
			rule.To = append(rule.To, &securityv1.Rule_To{Operation: o})
		}
	}
	for range r.IntN(3) {
		rule.When = append(rule.When, r.condition())
	}
	if len(rule.GetFrom())+len(rule.GetTo())+len(rule.GetWhen()) == 0 && r.IntN(4) > 0 {
		return r.rule()
	}
	return rule
}

// words are those of each key of a condition, and of the operations.
func words(key string) []string {
	switch key {
	case "source.principal":
		return []string{
			"mesh.example/ns/shop/sa/web", "cluster.local/ns/dev/sa/web", "old.example/ns/shop/sa/w.b", "*/sa/web", "*",
			"*w.b", "evil.example/ns/shop/sa/web", "mesh.example/ns/shop/*", "*.example/ns/dev/sa/web",
			"mesh.*/ns/shop/sa/web", "*/ns/shop/sa/web", "**", "*x*", "mesh.example/*/sa/web", "*.test/ns/shop/sa/web",
			"older.test/ns/*/sa/web", "web", "old*/ns/dev/sa/*", "/ns/shop/sa/web",
		}
	case "source.namespace":
		return []string{"shop", "dev", "s*", "*p", "*", "d*v", "s*o*", "ns", "**"}
	case "source.trustDomain":
		return []string{"mesh.example", "old.example", "*", "*.example", "evil*", "cluster.local", "older.test", "mesh"}
	case "source.serviceAccount":
		return []string{"web", "dev/web", "shop/w.b", "w.b", "istio-system/web"}
	case "request.auth.principal":
		return []string{
			"*", "https://login.example/anna", "https://login.example/*", "https://login.example/an*", "*/anna",
			"*.example/bert", "*na", "https*", "x/anna", "x", "*/", "/*", "**", "*/*", "x/", "x/**", "https://*/anna",
		}
	case "source.ip", "remote.ip", "destination.ip":
		return []string{"10.1.2.3", "10.1.0.0/16", "10.0.0.0/8", "fd00::/8", "fd00::1", "10.2.3.4/16", "0.0.0.0/0", "::/0"}
	case "destination.port":
		return []string{"8443", "9000", "0", "08443"}
	case "hosts":
		return []string{
			"orders.shop:8443", "Orders.shop", "*.SHOP", "orders.*", "*", "payments.shop", "o*p", "**", "*", "É.shop", "K.shop",
		}
	case "methods":
		return []string{"POST", "GET", "P*", "*T", "*", "post", "P*T"}
	case "paths":
		return []string{
			getOrder, "/shop.orders.v1.OrdersService/*", "*/GetOrder", "*", "/shop.*", "/a/b", "/a*b", "**", "/**", "*x",
			"/{*}/GetOrder", "/{**}", "/{**}/GetOrder", "/shop.orders.v1.OrdersService/{*}",
			"/shop.orders.v1.OrdersService/{**}", "/{*}/{*}", "/{*}/{**}", "/a/{**}/b/", "/{*}/", "/{**}/",
			"/grpc.health.v1.Health/*",
		}
	case "request.headers[:path]":
		return []string{getOrder, "/shop.*", "*", "*b"}
	case "request.headers[:method]":
		return []string{"POST", "*", "*T", "GET"}
	case "request.headers[Host]", "request.headers[:authority]":
		return []string{"orders.shop:8443", "*.shop", "ORDERS.shop", "*"}
	default:
		return []string{"admin", "ad*", "*min", "*", "dev", "a,b", "orders", "**", "a*n", "*d*", " ", "a", "true", "1"}
	}
}

// keys are those of conditions.
func keys() []string {
	return []string{
		"source.ip", "remote.ip", "source.namespace", "source.principal", "source.trustDomain", "source.serviceAccount",
		"request.auth.principal", "request.auth.audiences", "request.auth.presenter", "request.auth.claims[groups]",
		"request.auth.claims[realm][roles]", "request.auth.claims[scope]", "request.auth.claims[permission]",
		"request.auth.claims[a[b]", "request.auth.claims[iss]", "request.auth.claims[realm]", "request.auth.claims[scope][a]",
		"request.headers[X-Tenant]", "request.headers[user-agent]", "request.headers[:path]", "request.headers[:method]",
		"request.headers[Host]", "request.headers[:authority]", "request.headers[a[b]]", "destination.ip", "destination.port",
	}
}

func (r random) source() *securityv1.Source {
	of := func(key string) []string { return r.seldom(words(key)...) }
	s := &securityv1.Source{
		RequestPrincipals: of("request.auth.principal"), NotRequestPrincipals: of("request.auth.principal"),
		IpBlocks: of("source.ip"), NotIpBlocks: of("source.ip"),
		RemoteIpBlocks: of("remote.ip"), NotRemoteIpBlocks: of("remote.ip"),
		TrustDomains: of("source.trustDomain"), NotTrustDomains: of("source.trustDomain"),
	}
	if r.IntN(3) == 0 {
		s.ServiceAccounts, s.NotServiceAccounts = of("source.serviceAccount"), of("source.serviceAccount")
		return s
	}
	s.Principals, s.NotPrincipals = of("source.principal"), of("source.principal")
	s.Namespaces, s.NotNamespaces = of("source.namespace"), of("source.namespace")
	return s
}

func (r random) operation() *securityv1.Operation {
	of := func(key string) []string { return r.seldom(words(key)...) }
	return &securityv1.Operation{
		Hosts: of("hosts"), NotHosts: of("hosts"), Paths: of("paths"), NotPaths: of("paths"),
		Methods: of("methods"), NotMethods: of("methods"), Ports: of("destination.port"), NotPorts: of("destination.port"),
	}
}

func (r random) condition() *securityv1.Condition {
	key := r.pick(keys()...)
	w := &securityv1.Condition{Key: key}
	for len(w.GetValues())+len(w.GetNotValues()) == 0 {
		w.Values, w.NotValues = r.seldom(words(key)...), r.seldom(words(key)...)
	}
	return w
}

// list is the values of a key, and those that it must not have.
type list struct {
	key         string
	values, not []string
}

func stated(lists ...list) []list {
	return slices.DeleteFunc(lists, func(l list) bool { return len(l.values)+len(l.not) == 0 })
}

func listsOfSource(s *securityv1.Source) []list {
	return stated(
		list{"source.principal", s.GetPrincipals(), s.GetNotPrincipals()},
		list{"source.namespace", s.GetNamespaces(), s.GetNotNamespaces()},
		list{"source.serviceAccount", s.GetServiceAccounts(), s.GetNotServiceAccounts()},
		list{"source.trustDomain", s.GetTrustDomains(), s.GetNotTrustDomains()},
		list{"request.auth.principal", s.GetRequestPrincipals(), s.GetNotRequestPrincipals()},
		list{"source.ip", s.GetIpBlocks(), s.GetNotIpBlocks()},
		list{"remote.ip", s.GetRemoteIpBlocks(), s.GetNotRemoteIpBlocks()},
	)
}

func listsOfOperation(o *securityv1.Operation) []list {
	return stated(
		list{"hosts", o.GetHosts(), o.GetNotHosts()}, list{"methods", o.GetMethods(), o.GetNotMethods()},
		list{"paths", o.GetPaths(), o.GetNotPaths()}, list{"destination.port", o.GetPorts(), o.GetNotPorts()},
	)
}

// entriesOf are the entries of from and to, and the conditions, of a rule.
func entriesOf(r *securityv1.Rule) [][]list {
	var entries [][]list
	for _, from := range r.GetFrom() {
		entries = append(entries, listsOfSource(from.GetSource()))
	}
	for _, to := range r.GetTo() {
		entries = append(entries, listsOfOperation(to.GetOperation()))
	}
	for _, when := range r.GetWhen() {
		entries = append(entries, []list{{when.GetKey(), when.GetValues(), when.GetNotValues()}})
	}
	return entries
}

// call makes a call that mostly has what one of the rules asks for.
func (r random) call(documents []document) call {
	c := r.anyCall()
	var rules []*securityv1.Rule
	for _, d := range documents {
		rules = append(rules, d.spec.GetRules()...)
	}
	if len(rules) == 0 || r.IntN(6) == 0 {
		return c
	}
	rule := rules[r.IntN(len(rules))]
	var lists []list
	if from := rule.GetFrom(); len(from) > 0 {
		lists = append(lists, listsOfSource(from[r.IntN(len(from))].GetSource())...)
	}
	if to := rule.GetTo(); len(to) > 0 {
		lists = append(lists, listsOfOperation(to[r.IntN(len(to))].GetOperation())...)
	}
	for _, when := range rule.GetWhen() {
		lists = append(lists, list{when.GetKey(), when.GetValues(), when.GetNotValues()})
	}
	for _, l := range lists {
		switch {
		case len(l.values) > 0 && r.IntN(12) > 0:
			r.meet(&c, l.key, r.pick(l.values...))
		case len(l.not) > 0 && r.IntN(12) == 0:
			r.meet(&c, l.key, r.pick(l.not...))
		}
	}
	return c
}

func (r random) anyCall() call {
	c := call{
		id: r.pick(
			"", "spiffe://mesh.example/ns/shop/sa/web", "spiffe://mesh.example/ns/dev/sa/web",
			"spiffe://old.example/ns/shop/sa/web", "spiffe://evil.example/ns/shop/sa/web",
			"spiffe://mesh.example/ns/shop/sa/w.b", "spiffe://mesh.example/ns/shop/sa/wab", "spiffe://mesh.example/orders",
			"spiffe://mesh.example/ns/shop/x/sa/web/y", "spiffe://mesh.example/ns/ns/shop/sa/web", "spiffe://older.test/web",
			"spiffe://mesh.example/ns/shop/sa/sa/web", "spiffe://mesh.example.evil/ns/shop/sa/web",
		),
		method: r.pick(
			getOrder, getOrder, "/shop.orders.v1.OrdersService/PlaceOrder", "/a/b", "/grpc.health.v1.Health/Watch",
			getOrder+"?x", "/a/b#c", "/", "/a/b/", "/a/é", "/shop.orders.v1.OrdersService/a b",
		),
		headers: metadata.MD{},
		remote: netip.AddrPortFrom(netip.MustParseAddr(r.pick(
			"10.1.2.3", "10.2.0.1", "192.0.2.1", "fd00::1", "::1", "::ffff:10.1.2.3")), 40000),
		local: netip.MustParseAddrPort(r.pick("10.1.9.9:8443", "10.1.9.9:9000", "[fd00::1]:8443")),
	}
	switch r.IntN(40) {
	case 0:
		c.remote = netip.AddrPort{}
	case 1:
		c.local = netip.AddrPort{}
	}
	if host := r.pick("", "orders.shop:8443", "ORDERS.shop", "payments.shop", "é.shop", "\u212a.shop"); host != "" {
		c.headers[":authority"] = []string{host}
	}
	for _, name := range []string{"x-tenant", "user-agent", "a[b]"} {
		if values := r.seldom("admin", "dev", "a", "b", "", "ADMIN"); len(values) > 0 {
			c.headers[name] = values
		}
	}
	if r.IntN(2) == 0 {
		c.claims = map[string]any{
			"iss": r.pick("https://login.example", "https://evil.example", "x"), "sub": r.pick("anna", "bert", "annette", ""),
		}
		if r.IntN(20) == 0 {
			delete(c.claims, "sub")
		}
		for _, claim := range []struct {
			name  string
			value any
		}{
			{"aud", r.value()},
			{"azp", r.value()},
			{"groups", r.value()},
			{"a[b", r.value()},
			{"permission", r.value()},
			{"scope", r.pick("admin dev", " dev  admin", "a,b admin", "  ", "", "a\tb")},
			{"realm", map[string]any{"roles": r.value()}},
		} {
			if r.IntN(2) == 0 {
				c.claims[claim.name] = claim.value
			}
		}
	}
	return c
}

// value is a value of a claim.
func (r random) value() any {
	switch r.IntN(6) {
	case 0:
		return r.pick("admin", "dev", "orders", "", "a\nb", "true", "admin dev", " ", "\n")
	case 1:
		return []any{true, 1, nil, map[string]any{"a": "admin"}, []any{"admin"}}[r.IntN(5)]
	case 2:
		return []any{}
	default:
		list := []any{}
		for _, word := range strings.Fields(r.pick("admin", "dev admin", "orders a,b", "b c d admin")) {
			list = append(list, word)
		}
		return append(list, []any{1, "", nil, []any{"orders"}}[r.IntN(4)])
	}
}
