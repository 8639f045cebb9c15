package istio

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	securityv1 "istio.io/api/security/v1beta1"
)

const (
	kindAuthorization = "AuthorizationPolicy"
	dryRunAnnotation  = "istio.io/dry-run"
)

// authorization is an AuthorizationPolicy as its file states it.
type authorization struct {
	object *object
	spec   *securityv1.AuthorizationPolicy
	dryRun bool
	rules  []statedRule
}

// statedRule is one rule of it. All conditions of when must hold, and those of one entry of from and of to, where there
// are any.
type statedRule struct {
	path     string // "spec.rules[0]"
	from, to [][]statedCondition
	when     []statedCondition
}

// statedCondition says which values a subject must have, and which it must not have.
type statedCondition struct {
	subject
	path        string // of the values: "spec.rules[0].to[0].operation.paths"
	values, not []string
}

// readAuthorization reads an AuthorizationPolicy and checks what the schema cannot say.
func readAuthorization(o *object) *authorization {
	a := &authorization{object: o, spec: new(securityv1.AuthorizationPolicy)}
	d := &decoder{object: o, left: maxValues}
	if !d.spec(a.spec) {
		return a // what could not be read would look as if it was missing
	}
	if text, ok := o.annotations[dryRunAnnotation]; ok {
		var err error
		if a.dryRun, err = strconv.ParseBool(text); err != nil {
			o.wrongAt("metadata.annotations["+show(dryRunAnnotation)+"]", "want \"true\" or \"false\", got %s", show(text))
		}
	}
	a.known("spec", a.spec, "selector", "targetRef", "targetRefs", "rules", "action", "provider")
	a.checkTargets()
	if a.spec.GetAction() == securityv1.AuthorizationPolicy_DENY && len(a.spec.GetRules()) == 0 {
		o.wrongAt("spec",
			"a DENY policy without rules denies no call, which Istio refuses; write a rule, where {} is any call")
	}
	for i, rule := range a.spec.GetRules() {
		a.rules = append(a.rules, a.rule(fmt.Sprintf("spec.rules[%d]", i), rule))
	}
	return a
}

// known reports fields that this package does not read, because a newer version of Istio's types has them.
func (a *authorization) known(path string, m proto.Message, names ...string) {
	m.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if !slices.Contains(names, field.JSONName()) {
			a.object.wrongAt(path+"."+field.JSONName(), "this version of Parley does not know what it means; take it out")
		}
		return true
	})
}

func (a *authorization) checkTargets() {
	if len(a.spec.GetTargetRefs()) > 0 && a.spec.GetSelector() != nil {
		a.object.wrongAt("spec.targetRefs", "a policy has either targetRefs or a selector; take one of them out")
	}
	for i, ref := range targetsOf(a.spec) {
		if problem := wrongTarget(ref); problem != "" {
			a.object.wrongAt(fmt.Sprintf("spec.targetRefs[%d]", i), "%s", problem)
		}
	}
	isCustom := a.spec.GetAction() == securityv1.AuthorizationPolicy_CUSTOM
	if a.spec.GetProvider() != nil && !isCustom {
		a.object.wrongAt("spec.provider", "only the action CUSTOM has a provider; take it out, or correct the action")
	}
}

func (a *authorization) rule(path string, stated *securityv1.Rule) statedRule {
	r := statedRule{path: path}
	a.known(path, stated, "from", "to", "when")
	for i, from := range stated.GetFrom() {
		at := fmt.Sprintf("%s.from[%d].source", path, i)
		r.from = append(r.from, a.source(at, from.GetSource()))
	}
	for i, to := range stated.GetTo() {
		at := fmt.Sprintf("%s.to[%d].operation", path, i)
		r.to = append(r.to, a.operation(at, to.GetOperation()))
	}
	for i, when := range stated.GetWhen() {
		at := fmt.Sprintf("%s.when[%d]", path, i)
		a.known(at, when, "key", "values", "notValues")
		of, problem := readKey(when.GetKey())
		switch {
		case when.GetKey() == "":
			a.object.wrongAt(at, "the key is missing; name an attribute")
			continue
		case problem != "":
			a.object.wrongAt(at+".key", "%s", problem)
			continue
		case len(when.GetValues())+len(when.GetNotValues()) == 0:
			a.object.wrongAt(at, "neither values nor notValues are stated; state one of them")
			continue
		}
		c := statedCondition{subject: of, path: at, values: when.GetValues(), not: when.GetNotValues()}
		a.check(of, at+".values", c.values)
		a.check(of, at+".notValues", c.not)
		r.when = append(r.when, c)
	}
	return r
}

func (a *authorization) source(path string, s *securityv1.Source) []statedCondition {
	conditions := a.conditions(path, s, []listed{
		{attributePrincipal, "principals", s.GetPrincipals(), s.GetNotPrincipals()},
		{attributeUser, "requestPrincipals", s.GetRequestPrincipals(), s.GetNotRequestPrincipals()},
		{attributeAccount, "serviceAccounts", s.GetServiceAccounts(), s.GetNotServiceAccounts()},
		{attributeNamespace, "namespaces", s.GetNamespaces(), s.GetNotNamespaces()},
		{attributeTrustDomain, "trustDomains", s.GetTrustDomains(), s.GetNotTrustDomains()},
		{attributeRemoteIP, "remoteIpBlocks", s.GetRemoteIpBlocks(), s.GetNotRemoteIpBlocks()},
		{attributeSourceIP, "ipBlocks", s.GetIpBlocks(), s.GetNotIpBlocks()},
	})
	accounts := len(s.GetServiceAccounts())+len(s.GetNotServiceAccounts()) > 0
	others := len(s.GetPrincipals()) + len(s.GetNotPrincipals()) + len(s.GetNamespaces()) + len(s.GetNotNamespaces())
	if accounts && others > 0 {
		a.object.wrongAt(path, "serviceAccounts do not go with principals or namespaces; say it in one of them")
	}
	return conditions
}

func (a *authorization) operation(path string, o *securityv1.Operation) []statedCondition {
	return a.conditions(path, o, []listed{
		{attributeHost, "hosts", o.GetHosts(), o.GetNotHosts()},
		{attributeMethod, "methods", o.GetMethods(), o.GetNotMethods()},
		{attributePath, "paths", o.GetPaths(), o.GetNotPaths()},
		{attributePort, "ports", o.GetPorts(), o.GetNotPorts()},
	})
}

// listed is a list of values and its negation, under the name of the first.
type listed struct {
	attribute   attribute
	name        string
	values, not []string
}

// negated is the name of the list of what must not match: "notPaths".
func (l listed) negated() string { return "not" + strings.ToUpper(l.name[:1]) + l.name[1:] }

// conditions reads the lists of a message, which has no other fields.
func (a *authorization) conditions(path string, m proto.Message, lists []listed) []statedCondition {
	var conditions []statedCondition
	var names []string
	for _, l := range lists {
		names = append(names, l.name, l.negated())
	}
	a.known(path, m, names...)
	for _, l := range lists {
		if len(l.values)+len(l.not) == 0 {
			continue
		}
		c := statedCondition{
			subject: subject{attribute: l.attribute}, path: path + "." + l.name, values: l.values, not: l.not,
		}
		negated := path + "." + l.negated()
		if len(l.values) == 0 {
			c.path = negated
		}
		a.check(c.subject, path+"."+l.name, l.values)
		a.check(c.subject, negated, l.not)
		conditions = append(conditions, c)
	}
	if len(conditions) == 0 {
		a.object.wrongAt(path, "nothing is stated here, which Istio refuses; state something, or take the entry out")
	}
	return conditions
}

// check reports values that the attribute cannot have. A rule that Istio would leave out because of them would
// otherwise be left out here as well, and one that denies would be missed.
func (a *authorization) check(of subject, path string, values []string) {
	for i, value := range values {
		if problem := wrongValue(of.attribute, value); problem != "" {
			a.object.wrongAt(fmt.Sprintf("%s[%d]", path, i), "%s", problem)
		}
	}
}

// isName reports whether a text is made of lower-case letters, digits and the further characters, and begins and ends
// with none of "-" and ".".
func isName(text, further string) bool {
	ends := strings.Trim(text, "-.") == text
	return text != "" && ends && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789"+further) == ""
}

// wrongValue says what is wrong with a value, or "".
func wrongValue(of attribute, value string) string {
	if value == "" {
		return "the value is empty; write one, or take it out"
	}
	switch of {
	case attributePrincipal:
		if strings.Contains(value, "://") {
			return "Istio writes principals without a scheme, and this one would never match; leave it out"
		}
	case attributeTrustDomain:
		atEnd := strings.HasPrefix(value, "*") || strings.HasSuffix(value, "*")
		if stars := strings.Count(value, "*"); stars > 1 || stars == 1 && !atEnd || !isName(value, "*-._") {
			return show(value) + " is no trust domain; write its name, in which one * at an end stands for any characters"
		}
	case attributeNamespace:
		if !isName(value, "*-") {
			return show(value) + " is no namespace; write its name, in which * stands for any characters"
		}
	case attributeAccount:
		namespace, name, ok := strings.Cut(value, "/")
		if !ok {
			namespace, name = "n", value
		}
		if !isName(namespace, "-") || !isName(name, "-.") || len(value) > maxAccount {
			return show(value) + " is no service account; write name or namespace/name, without asterisks"
		}
	case attributeSourceIP, attributeRemoteIP, attributeDestinationIP:
		if _, ok := readPrefix(value); !ok {
			return show(value) + " is no IP address or block; write 10.1.2.3 or 10.1.0.0/16, and IPv4 as such"
		}
	case attributePort:
		if _, err := strconv.ParseUint(value, 10, 16); err != nil {
			return show(value) + " is no port; write 0 to 65535"
		}
	case attributePath:
		if strings.ContainsAny(value, "{}") {
			return checkTemplate(value)
		}
	case attributeUnknown, attributeUser, attributeClaim, attributeHeader, attributeHost, attributeMethod, attributeSNI,
		attributeFilter, attributeInlineHeader:
	}
	return ""
}
