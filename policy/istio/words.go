package istio

import "strings"

// String is the rule in one line: "from principal [a], namespace not [b]; to path [/x]; when source IP [10.0.0.0/8]".
func (r statedRule) String() string {
	var parts []string
	add := func(word string, lists [][]statedCondition) {
		var texts []string
		for _, conditions := range lists {
			texts = append(texts, wordsOf(conditions))
		}
		if len(texts) > 0 {
			parts = append(parts, word+" "+strings.Join(texts, " or "))
		}
	}
	add("from", r.from)
	add("to", r.to)
	if len(r.when) > 0 {
		add("when", [][]statedCondition{r.when})
	}
	if len(parts) == 0 {
		return "any call"
	}
	return strings.Join(parts, "; ")
}

func wordsOf(conditions []statedCondition) string {
	texts := make([]string, 0, len(conditions))
	for _, c := range conditions {
		text := c.name()
		if len(c.values) > 0 {
			text += " [" + strings.Join(c.values, ", ") + "]"
		}
		if len(c.not) > 0 {
			text += " not [" + strings.Join(c.not, ", ") + "]"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// name is the subject as policies write it.
func (s subject) name() string {
	switch s.attribute {
	case attributePrincipal:
		return "principal"
	case attributeNamespace:
		return "namespace"
	case attributeTrustDomain:
		return "trust domain"
	case attributeAccount:
		return "service account"
	case attributeSourceIP:
		return "source IP"
	case attributeRemoteIP:
		return "remote IP"
	case attributeDestinationIP:
		return "destination IP"
	case attributePort:
		return "port"
	case attributeUser:
		return "request principal"
	case attributeClaim:
		return "claim " + strings.Join(s.claim, ">")
	case attributeHeader:
		return "header " + s.header
	case attributeHost:
		return "host"
	case attributeMethod:
		return "HTTP method"
	case attributePath:
		return "path"
	case attributeUnknown, attributeSNI, attributeFilter, attributeInlineHeader:
	}
	return "something unknown"
}
