package istio

import (
	"slices"
	"strconv"
	"strings"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

// Groups of the kinds that are read.
const (
	securityGroup   = "security.istio.io"
	networkingGroup = "networking.istio.io"
	gatewayGroup    = "gateway.networking.k8s.io"
	istioDomain     = "istio.io" // in which all groups of Istio are
)

// kindsRead lists the kinds that are read, and those of Istio that are not, by their groups.
func kindsRead() map[string][]string {
	return map[string][]string{
		securityGroup:   {kindAuthorization, kindRequest, kindPeer},
		networkingGroup: {kindVirtualService, kindDestinationRule},
		gatewayGroup:    {kindGRPCRoute, kindHTTPRoute},
	}
}

func kindsSkipped() map[string][]string {
	return map[string][]string{
		networkingGroup: {
			"Gateway", "ServiceEntry", "Sidecar", "EnvoyFilter", "WorkloadEntry", "WorkloadGroup", "ProxyConfig",
		},
		"telemetry.istio.io":  {"Telemetry"},
		"extensions.istio.io": {"WasmPlugin", "TrafficExtension"},
		"install.istio.io":    {"IstioOperator"},
	}
}

// ofOtherMesh reports whether a kind that has the name of one that is read belongs to another mesh.
func ofOtherMesh(apiVersion, kind string) bool {
	group, _ := cutVersion(apiVersion)
	switch group {
	case "policy.linkerd.io":
		return kind == kindAuthorization || kind == kindHTTPRoute
	case "appmesh.k8s.aws":
		return kind == kindVirtualService
	}
	return false
}

// versions are the versions of the kinds of a group that are read.
func versions(group string) []string {
	if group == gatewayGroup {
		return []string{"v1", "v1beta1", "v1alpha2"}
	}
	return []string{"v1", "v1beta1", "v1alpha3"}
}

// apiVersions are the groups of kinds that are read with their versions.
func apiVersions(group string) []string {
	known := versions(group)
	for i := range known {
		known[i] = group + "/" + known[i]
	}
	return known
}

// otherGatewayKinds are kinds of the Gateway API that are not read and look like one that is.
func otherGatewayKinds() []string { return []string{"TCPRoute", "TLSRoute", "UDPRoute"} }

func cutVersion(apiVersion string) (group, version string) {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return "", apiVersion
	}
	return group, version
}

// find returns the group and the name of a kind, in whatever case, among kinds by their groups.
func find(kinds map[string][]string, kind string) (group, name string) {
	for group, kinds := range kinds {
		for _, known := range kinds {
			if strings.EqualFold(known, kind) {
				return group, known
			}
		}
	}
	return "", ""
}

// groupOf is the group of a kind that is read, in whatever case, or "".
func groupOf(kind string) string {
	group, _ := find(kindsRead(), kind)
	return group
}

// nameOf is the name of a kind that is read, of the same in whatever case.
func nameOf(kind string) string {
	_, name := find(kindsRead(), kind)
	return name
}

// isRead reports whether the object is of a kind that is read. One that was meant to be, and whose kind, group or
// version is another, is a mistake: to skip it would open what it closes.
func (o *object) isRead(apiVersion, version string) bool {
	if slices.Contains(kindsRead()[o.group], o.kind) {
		if known := versions(o.group); !slices.Contains(known, version) {
			o.wrong(o.node, "apiVersion", "version %s is not known%s", show(version), meant(version, known))
			return false
		}
		return true
	}
	if slices.Contains(kindsSkipped()[o.group], o.kind) || ofOtherMesh(apiVersion, o.kind) {
		return false
	}
	known := slices.Concat(kindsRead()[o.group], kindsSkipped()[o.group])
	ofIstio := o.group == istioDomain || strings.HasSuffix(o.group, "."+istioDomain)
	group, _ := find(kindsRead(), o.kind)
	if group == "" && (ofIstio || !strings.Contains(o.group, ".")) {
		group, _ = find(kindsSkipped(), o.kind) // names that others have, too
	}
	isAnother := o.group == gatewayGroup &&
		(nearest.Of(o.kind, known) == "" || slices.Contains(otherGatewayKinds(), o.kind))
	switch {
	case group != "" && group != o.group:
		o.wrong(o.node, "apiVersion", "%s is no apiVersion of the kind %s%s", show(apiVersion), o.kind,
			meant(apiVersion, apiVersions(group)))
	case len(kindsRead()[o.group]) > 0 && !isAnother:
		o.wrong(o.node, "kind", "kind %s is not known%s", show(o.kind), meant(o.kind, known))
	case ofIstio && len(known) == 0:
		groups := []string{securityGroup, networkingGroup}
		o.wrong(o.node, "apiVersion", "group %s is not known%s", show(o.group), meant(o.group, groups))
	case !strings.Contains(o.group, "."):
		o.looksLikeRead()
	}
	return false
}

// looksLikeRead reports a misspelled kind in a group of Kubernetes itself, or without a group.
func (o *object) looksLikeRead() {
	for _, group := range []string{securityGroup, networkingGroup, gatewayGroup} {
		if near := nearest.Of(o.kind, kindsRead()[group]); near != "" {
			o.wrong(o.node, "kind", "kind %s is not known; did you mean %q of %s?", show(o.kind), near, group)
			return
		}
	}
}

// meant is "; did you mean ...?" where a known word is near.
func meant(word string, known []string) string {
	if near := nearest.Of(word, known); near != "" {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	slices.Sort(known)
	return "; known are " + strings.Join(known, ", ")
}
