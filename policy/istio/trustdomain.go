package istio

import (
	"slices"
	"strings"
)

// localDomain stands for the trust domain of the mesh, whatever it is called.
const localDomain = "cluster.local"

// inDomains writes principals for every name of the trust domain, as Istio does: one that names the trust domain, an
// alias of it or cluster.local is written for each of these names. Domains begins with the present one.
func inDomains(principals, domains []string) []string {
	var all []string
	for _, p := range principals {
		domain, rest, ok := cutDomain(p)
		if !ok || domain == "*" || domain != localDomain && !namesAny(domain, domains) {
			all = append(all, p)
			continue
		}
		for _, other := range domains {
			written := other + rest
			if suffix, ok := strings.CutPrefix(domain, "*"); ok && strings.HasSuffix(other, suffix) {
				written = p // which matches the other one already
			}
			if !slices.Contains(all, written) {
				all = append(all, written)
			}
		}
	}
	return all
}

// withAliases writes a trust domain that is the present one or an alias of it as all of them.
func withAliases(values, domains []string) []string {
	var all []string
	for _, value := range values {
		if slices.Contains(domains, value) {
			all = append(all, domains...)
		} else {
			all = append(all, value)
		}
	}
	return all
}

// cutDomain takes "<domain>/ns/<namespace>/sa/<account>" apart behind the domain. Anything else names no domain.
func cutDomain(p string) (domain, rest string, ok bool) {
	if strings.Count(p, "/") != 4 {
		return "", "", false
	}
	cut := strings.IndexByte(p, '/')
	return p[:cut], p[cut:], true
}

// namesAny reports whether a domain, which may have an asterisk at one end, is one of the domains.
func namesAny(domain string, domains []string) bool {
	return slices.ContainsFunc(domains, func(known string) bool {
		prefix, isPrefix := strings.CutSuffix(domain, "*")
		suffix, isSuffix := strings.CutPrefix(domain, "*")
		return known == domain || isPrefix && strings.HasPrefix(known, prefix) || isSuffix && strings.HasSuffix(known, suffix)
	})
}
