package istio

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/parley-rpc/parley/principal"
)

// Workload says which policies of a mesh are about this program, and what else they leave to the mesh.
type Workload struct {
	// Namespace is the namespace in which the program runs.
	Namespace string
	// Labels are all labels of its pods, which selectors match. A policy whose selector wants a label that is not here
	// does not count, and is listed by App.Describe and in the log.
	Labels map[string]string
	// Services are the names of the Kubernetes Services of the namespace that lead to it, for policies with targetRefs.
	Services []string
	// Waypoints are the names of the waypoint proxies of the namespace that stood before it, for policies with
	// targetRefs. One whose Gateway lies among the files need not be named.
	Waypoints []string
	// RootNamespace is that whose policies count in every namespace. Default: istio-system.
	RootNamespace string
	// DefaultNamespace is that of documents that state none. Default: such a document is a mistake.
	DefaultNamespace string
	// ClusterDomain is the domain of the full names of Services. Default: cluster.local.
	ClusterDomain string
	// TrustDomainAliases are the former names of the trust domain (trustDomainAliases of the mesh's configuration).
	// Principals of any of these names match callers of all of them.
	TrustDomainAliases []string
	// NoProxies says that no proxy passes calls on to the program, so that remote.ip and remoteIpBlocks are the address
	// of the connection. Default: a policy that asks for them is a mistake, because what a proxy wrote into
	// x-forwarded-for cannot be told from what a caller wrote there.
	NoProxies bool
	// OpenHealth lets every caller ask gRPC's health service whom no DENY rule refuses whose paths name that service.
	// Default: it is judged like every service. The probes of the kubelet, which no sidecar passes on to the program as
	// calls, belong to surfaces.probes, which no policy closes.
	OpenHealth bool
	// AllowByDefault decides about methods on which no ALLOW policy and nothing else decides as Istio does: every caller
	// that no DENY policy refuses may call, if it has proven who it is. Default: a server with such a method does not
	// start.
	AllowByDefault bool
}

// withDefaults returns the workload with its defaults applied.
func (w Workload) withDefaults() Workload {
	if w.RootNamespace == "" {
		w.RootNamespace = defaultRootNamespace
	}
	if w.ClusterDomain == "" {
		w.ClusterDomain = localDomain
	}
	return w
}

func (w Workload) check() error {
	var errs []error
	if w.Namespace == "" {
		errs = append(errs, errors.New("istio: Workload.Namespace is empty; name the namespace in which the program runs"))
	}
	for field, namespace := range map[string]string{
		"Namespace": w.Namespace, "RootNamespace": w.RootNamespace, "DefaultNamespace": w.DefaultNamespace,
	} {
		if namespace != "" && !isLabel(namespace) {
			errs = append(errs, fmt.Errorf("istio: Workload.%s: %s is no namespace; write up to %d lower-case letters, digits "+
				"and -", field, show(namespace), maxLabel))
		}
	}
	for _, alias := range w.TrustDomainAliases {
		if _, err := principal.ParseTrustDomain(alias); err != nil {
			errs = append(errs, fmt.Errorf("istio: Workload.TrustDomainAliases: %w", err))
		}
	}
	return errors.Join(errs...)
}

// String is the workload in one line: "shop app=orders".
func (w Workload) String() string {
	labels := make([]string, 0, len(w.Labels))
	for name, value := range w.Labels {
		labels = append(labels, name+"="+value)
	}
	slices.Sort(labels)
	return strings.TrimSpace(w.Namespace + " " + strings.Join(labels, ","))
}

// unselected returns why the labels do not match those of a selector, or "" if all of them do.
func (w Workload) unselected(labels map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		switch own, ok := w.Labels[name]; {
		case !ok:
			return fmt.Sprintf("the selector wants %s=%s; Workload.Labels has no such label", name, labels[name])
		case own != labels[name]:
			return fmt.Sprintf("the selector wants %s=%s; Workload.Labels has %s=%s", name, labels[name], name, own)
		}
	}
	return ""
}
