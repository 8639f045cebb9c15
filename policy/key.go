package policy

import "strings"

// Keys of a layer, the widest first:
//
//	/*                         every method
//	/package.*                 every method of the services of a package, and of the packages below it
//	/package.Service/*         every method of a service
//	/package.Service/Method    one method
const (
	wildcard     = "*"
	everything   = "/" + wildcard
	belowPackage = "." + wildcard
)

// isWide reports whether a key is about more than one service.
func isWide(key string) bool {
	_, ok := packageOf(key)
	return ok || key == everything
}

// packageOf returns the package that a key is about.
func packageOf(key string) (pkg string, ok bool) {
	rest, rooted := strings.CutPrefix(key, "/")
	pkg, below := strings.CutSuffix(rest, belowPackage)
	return pkg, rooted && below && isPackage(pkg)
}

func isPackage(name string) bool {
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || strings.ContainsFunc(part, notInName) {
			return false
		}
	}
	return true
}

func notInName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_'
}

// wideKeys are the keys that are about a service and more, the widest first.
func wideKeys(service string) []string {
	keys := []string{everything}
	for i := range len(service) {
		if service[i] == '.' {
			keys = append(keys, "/"+service[:i]+belowPackage)
		}
	}
	return keys
}

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
