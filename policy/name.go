package policy

import "strings"

// wildcard stands for every method of a service in the key of a layer.
const wildcard = "*"

// splitName splits "/package.Service/Method" into service and method. Everything that is not exactly two parts, neither
// of them empty, each behind a slash, is not ok.
func splitName(name string) (service, method string, ok bool) {
	rest, ok := strings.CutPrefix(name, "/")
	if !ok {
		return "", "", false
	}
	service, method, ok = strings.Cut(rest, "/")
	if !ok || service == "" || method == "" || strings.Contains(method, "/") {
		return "", "", false
	}
	return service, method, true
}

func joinName(service, method string) string { return "/" + service + "/" + method }
