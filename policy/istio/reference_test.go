package istio_test

import (
	"encoding/json"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	securityv1 "istio.io/api/security/v1beta1"
)

// reference judges calls by AuthorizationPolicies as Istio does it: each value becomes a regular expression or a block,
// as in its translation for Envoy, and each call is held against all of them. It is slow, it shares nothing with the
// code that it checks, and it knows nothing of methods that are compiled or of facts that are looked up once.
type reference struct {
	openHealth bool // of the health service only DENY rules count that name it
	domains    []string
	points     [2][]referencePolicy // the workload's, and those of its waypoint
	expressions
}

// expressions are the regular expressions that have been needed before.
type expressions map[string]*regexp.Regexp

// full reports whether an expression matches a whole text.
func (e expressions) full(expression, text string) bool {
	known := e[expression]
	if known == nil {
		known = regexp.MustCompile(`\A(?:` + expression + `)\z`)
		e[expression] = known
	}
	return known.MatchString(text)
}

type referencePolicy struct {
	namespace string
	spec      *securityv1.AuthorizationPolicy
}

// allows reports whether a call passes.
func (r reference) allows(c call) bool {
	open := r.openHealth && strings.HasPrefix(c.method, "/grpc.health.v1.Health/")
	for _, policies := range r.points {
		listed, allowed := false, false
		for _, p := range policies {
			e := evaluation{r, p.namespace, p.spec.GetAction() == securityv1.AuthorizationPolicy_DENY, c}
			matches := slices.ContainsFunc(p.spec.GetRules(), func(r *securityv1.Rule) bool {
				return (!open || namesHealth(r)) && e.rule(r)
			})
			switch p.spec.GetAction() {
			case securityv1.AuthorizationPolicy_DENY:
				if matches {
					return false
				}
			case securityv1.AuthorizationPolicy_ALLOW:
				listed = true
				allowed = allowed || matches
			case securityv1.AuthorizationPolicy_AUDIT, securityv1.AuthorizationPolicy_CUSTOM:
			}
		}
		if listed && !allowed && !open {
			return false
		}
	}
	return true
}

// namesHealth reports whether a rule names the health service.
func namesHealth(r *securityv1.Rule) bool {
	return slices.ContainsFunc(r.GetTo(), func(to *securityv1.Rule_To) bool {
		return slices.ContainsFunc(to.GetOperation().GetPaths(), func(path string) bool {
			return strings.HasPrefix(path, "/grpc.health.v1.Health")
		})
	})
}

// evaluation is the question whether the rules of one policy match one call.
type evaluation struct {
	reference
	namespace string
	denies    bool
	call      call
}

func (e evaluation) rule(r *securityv1.Rule) bool {
	from := len(r.GetFrom()) == 0
	for _, f := range r.GetFrom() {
		s := f.GetSource()
		from = from || e.holds("source.principal", s.GetPrincipals(), s.GetNotPrincipals()) &&
			e.holds("request.auth.principal", s.GetRequestPrincipals(), s.GetNotRequestPrincipals()) &&
			e.holds("source.namespace", s.GetNamespaces(), s.GetNotNamespaces()) &&
			e.holds("source.trustDomain", s.GetTrustDomains(), s.GetNotTrustDomains()) &&
			e.holds("source.serviceAccount", s.GetServiceAccounts(), s.GetNotServiceAccounts()) &&
			e.holds("source.ip", s.GetIpBlocks(), s.GetNotIpBlocks()) &&
			e.holds("remote.ip", s.GetRemoteIpBlocks(), s.GetNotRemoteIpBlocks())
	}
	to := len(r.GetTo()) == 0
	for _, t := range r.GetTo() {
		o := t.GetOperation()
		to = to || e.holds("hosts", o.GetHosts(), o.GetNotHosts()) && e.holds("methods", o.GetMethods(), o.GetNotMethods()) &&
			e.holds("paths", o.GetPaths(), o.GetNotPaths()) && e.holds("destination.port", o.GetPorts(), o.GetNotPorts())
	}
	for _, w := range r.GetWhen() {
		if !e.holds(w.GetKey(), w.GetValues(), w.GetNotValues()) {
			return false
		}
	}
	return from && to
}

// holds reports whether one of the values matches, and none of those that must not. An address that is not known counts
// against the caller.
func (e evaluation) holds(key string, values, not []string) bool {
	if len(values)+len(not) == 0 {
		return true
	}
	if slices.Contains([]string{"source.ip", "remote.ip"}, key) && !e.call.from.IsValid() ||
		slices.Contains([]string{"destination.ip", "destination.port"}, key) && !e.call.to.IsValid() {
		return e.denies
	}
	matches := func(list []string) bool {
		return slices.ContainsFunc(list, func(value string) bool { return e.matches(key, value) })
	}
	return (len(values) == 0 || matches(values)) && !matches(not)
}

// plain is the expression of exact, prefix, suffix and presence.
func plainExpression(value string) string {
	switch {
	case value == "*":
		return ".+"
	case strings.HasPrefix(value, "*"):
		return ".*" + regexp.QuoteMeta(value[1:])
	case strings.HasSuffix(value, "*"):
		return regexp.QuoteMeta(value[:len(value)-1]) + ".*"
	default:
		return regexp.QuoteMeta(value)
	}
}

func (e evaluation) matches(key, value string) bool {
	c := e.call
	switch {
	case key == "source.principal":
		return c.id != "" &&
			slices.ContainsFunc(e.written(value), func(p string) bool { return e.full(idExpression(p), c.id) })
	case key == "source.namespace":
		return c.id != "" && e.full(".*/ns/"+strings.ReplaceAll(value, "*", ".*")+"/.*", c.id)
	case key == "source.trustDomain":
		domains := []string{value}
		if slices.Contains(e.domains, value) {
			domains = e.domains
		}
		return c.id != "" && slices.ContainsFunc(domains, func(d string) bool {
			return e.full("spiffe://"+strings.ReplaceAll(regexp.QuoteMeta(d), `\*`, "[^/]*")+"/.*", c.id)
		})
	case key == "source.serviceAccount":
		namespace, name, ok := strings.Cut(value, "/")
		if !ok {
			namespace, name = e.namespace, value
		}
		return c.id != "" && e.full("spiffe://.+/ns/"+namespace+"/(.+/|)sa/"+regexp.QuoteMeta(name)+"(/.+)?", c.id)
	case key == "source.ip" || key == "remote.ip":
		return inBlock(value, c.from.Addr().String())
	case key == "destination.ip":
		return inBlock(value, c.to.Addr().String())
	case key == "destination.port":
		return value == strconv.Itoa(int(c.to.Port()))
	case key == "hosts":
		host, ok := c.headers[":authority"]
		return ok && (value == "*" || e.full("(?i)"+plainExpression(value), host[0]))
	case key == "methods":
		return e.full(plainExpression(value), "POST")
	case key == "paths" && (strings.Contains(value, "{*}") || strings.Contains(value, "{**}")):
		return e.full(templateExpression(value), withoutQuery(c.method))
	case key == "paths":
		return e.full(plainExpression(value), withoutQuery(c.method))
	case key == "request.headers[:path]":
		return e.full(plainExpression(value), c.method)
	case strings.HasPrefix(key, "request.headers["):
		name := strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(key, "request.headers["), "]"))
		found, ok := c.headers[name]
		return ok && (value == "*" || e.full(plainExpression(value), strings.Join(found, ",")))
	case key == "request.auth.principal":
		return e.user(value)
	case key == "request.auth.audiences":
		return e.claim([]string{"aud"}, value)
	case key == "request.auth.presenter":
		return e.claim([]string{"azp"}, value)
	default:
		path := strings.TrimSuffix(strings.TrimPrefix(key, "request.auth.claims["), "]")
		return e.claim(strings.Split(path, "]["), value)
	}
}

// idExpression is the expression of a principal.
func idExpression(p string) string {
	if p == "*" {
		return ".+"
	}
	return "spiffe://" + plainExpression(p)
}

// written is a principal in all names of its trust domain.
func (e evaluation) written(p string) []string {
	parts := strings.Split(p, "/")
	if len(parts) != 5 || parts[0] == "*" {
		return []string{p}
	}
	of := plainExpression(parts[0])
	if parts[0] != "cluster.local" && !slices.ContainsFunc(e.domains, func(d string) bool { return e.full(of, d) }) {
		return []string{p}
	}
	var all []string
	for _, d := range e.domains {
		if strings.HasPrefix(parts[0], "*") && e.full(of, d) {
			all = append(all, p)
		} else {
			all = append(all, strings.Join(append([]string{d}, parts[1:]...), "/"))
		}
	}
	return all
}

func withoutQuery(path string) string {
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	return path
}

func templateExpression(value string) string {
	const literal = `a-zA-Z0-9\-._~%!$&'()+,;:@=`
	expression := regexp.QuoteMeta(value)
	expression = strings.ReplaceAll(expression, regexp.QuoteMeta("{**}"), "["+literal+"/]*")
	return strings.ReplaceAll(expression, regexp.QuoteMeta("{*}"), "["+literal+"]+")
}

func inBlock(value, address string) bool {
	ip := net.ParseIP(address)
	if !strings.Contains(value, "/") {
		return ip.Equal(net.ParseIP(value))
	}
	_, block, err := net.ParseCIDR(value)
	return err == nil && block.Contains(ip)
}

// user compares issuer and subject, which the last slash divides.
func (e evaluation) user(value string) bool {
	if e.call.issuer == "" {
		return false
	}
	issuer, subject, ok := value, "", false
	if i := strings.LastIndexByte(value, '/'); i >= 0 {
		issuer, subject, ok = value[:i], value[i+1:], true
	}
	var of, who string
	switch {
	case value == "*":
		of, who = ".+", ".+"
	case strings.HasPrefix(value, "*") && !ok:
		of, who = ".+", plainExpression(value)
	case strings.HasPrefix(value, "*"):
		of, who = plainExpression(issuer), regexp.QuoteMeta(subject)
	case strings.HasSuffix(value, "*") && !ok:
		of, who = plainExpression(value), ".+"
	case strings.HasSuffix(value, "*"):
		of, who = regexp.QuoteMeta(issuer), plainExpression(subject)
	default:
		of, who = regexp.QuoteMeta(issuer), regexp.QuoteMeta(subject)
	}
	return e.full(of, e.call.issuer) && e.full(who, e.call.user)
}

// claim compares a claim that is a string, or the strings in one that is a list.
func (e evaluation) claim(path []string, value string) bool {
	if e.call.issuer == "" {
		return false
	}
	var found any
	if err := json.Unmarshal([]byte(e.call.userClaims), &found); err != nil {
		panic(err)
	}
	for _, name := range path {
		object, _ := found.(map[string]any)
		found = object[name]
	}
	if text, ok := found.(string); ok && len(path) == 1 && (path[0] == "scope" || path[0] == "permission") {
		var words []any
		for _, word := range regexp.MustCompile("[^ ]+").FindAllString(text, -1) {
			words = append(words, word)
		}
		if words != nil {
			found = words
		}
	}
	list, ok := found.([]any)
	if !ok {
		list = []any{found}
	}
	return slices.ContainsFunc(list, func(item any) bool {
		text, ok := item.(string)
		return ok && e.full(plainExpression(value), text)
	})
}
