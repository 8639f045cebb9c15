package policy

import (
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

const keyForms = `write "/package.Service/Method", "/package.Service/*" for a service, "/package.*" for a package, ` +
	`or "/*" for everything`

// reached lists the methods that a key of a layer is about, or says what is wrong with the key.
func (d described) reached(key string) (methods []string, problem string) {
	if isWide(key) {
		return d.reachedWidely(key)
	}
	service, method, ok := splitName(key)
	if !ok || service == wildcard || method != wildcard && strings.Contains(key, wildcard) {
		return nil, "is no method; " + keyForms
	}
	s := d.service(service)
	if s == nil {
		return nil, d.unknownService(service, method)
	}
	known := methodsOf(s)
	if method == wildcard {
		for _, name := range known {
			methods = append(methods, joinName(service, name))
		}
		return methods, ""
	}
	if !slices.Contains(known, method) {
		problem = "the service " + quote(service) + " has no method " + quote(method)
		if near := nearest.Of(method, known); near != "" {
			problem += "; did you mean " + quote(joinName(service, near)) + "?"
		}
		return nil, problem
	}
	return []string{key}, ""
}

// reachedWidely is reached for a key that is about more than one service.
func (d described) reachedWidely(key string) (methods []string, problem string) {
	pkg, _ := packageOf(key)
	for _, service := range d.names() {
		if key == everything || strings.HasPrefix(service, pkg+".") {
			for _, name := range methodsOf(d.service(service)) {
				methods = append(methods, joinName(service, name))
			}
		}
	}
	if methods != nil || key == everything {
		return methods, ""
	}
	problem = "no linked .proto describes a service in the package " + quote(pkg)
	if d.service(pkg) != nil {
		return nil, problem + "; it is a service, so write " + quote(joinName(pkg, wildcard))
	}
	if near := nearest.Of(pkg, d.packages()); near != "" {
		return nil, problem + "; did you mean " + quote("/"+near+belowPackage) + "?"
	}
	return nil, problem + "; import the generated package of one"
}

func (d described) unknownService(service, method string) string {
	problem := "no linked .proto describes the service " + quote(service)
	if method == wildcard && slices.Contains(d.packages(), service) {
		return problem + "; it is a package, so write " + quote("/"+service+belowPackage)
	}
	if near := nearest.Of(service, d.names()); near != "" {
		return problem + "; did you mean " + quote(joinName(near, method)) + "?"
	}
	return problem + "; import its generated package"
}

// packages are those that have services in them or below them, sorted.
func (d described) packages() []string {
	var packages []string
	for _, service := range d.names() {
		for _, key := range wideKeys(service) {
			if pkg, ok := packageOf(key); ok {
				packages = append(packages, pkg)
			}
		}
	}
	return sortedSet(packages)
}
