package istio

import (
	"slices"
	"strconv"
	"strings"
)

// meshHost is a host that a client calls, under all names by which the files may mean it.
type meshHost struct {
	text      string   // as the client states it, which is what it sends as :authority
	names     []string // the full name first
	namespace string   // of the service, "" where the host is none of the cluster
	service   string
	port      uint32 // 0 where the host has none
}

// hostOf reads a host as a client of the workload means it: "payments", "payments.bank" and
// "payments.bank.svc.cluster.local" are names of a Service, with and without a port. Any other host stands for itself.
func (w Workload) hostOf(text string) meshHost {
	h := meshHost{text: text}
	name := strings.ToLower(text)
	if cut := strings.LastIndexByte(name, ':'); cut >= 0 && !strings.HasSuffix(name, "]") {
		if port, err := strconv.ParseUint(name[cut+1:], 10, 16); err == nil {
			h.port, name = uint32(port), name[:cut]
		}
	}
	name = strings.TrimSuffix(name, ".")
	parts := strings.Split(name, ".")
	inside := strings.TrimSuffix(name, w.serviceSuffix())
	switch {
	case len(parts) == 1:
		h.service, h.namespace = name, w.Namespace
	case inside != name:
		h.service, h.namespace, _ = strings.Cut(inside, ".")
	case len(parts) == 3 && parts[2] == "svc", len(parts) == 2:
		h.service, h.namespace = parts[0], parts[1]
	}
	if h.namespace != "" {
		h.names = append(h.names, h.service+"."+h.namespace+w.serviceSuffix())
	}
	if !slices.Contains(h.names, name) && len(parts) > 1 {
		h.names = append(h.names, name)
	}
	return h
}

// serviceSuffix is the end of the full names of Services.
func (w Workload) serviceSuffix() string { return ".svc." + w.ClusterDomain }

// fullHost is a host of a file, in full: a name without a dot is a Service of the namespace of the object.
func (w Workload) fullHost(host, namespace string) string {
	host = strings.ToLower(host)
	if host == "*" || strings.Contains(host, ".") {
		return host
	}
	return host + "." + namespace + w.serviceSuffix()
}

// fits says how closely a host of a file fits the called one: 0 for not at all, and more for a longer pattern and most
// for a name.
func (h meshHost) fits(pattern string) int {
	suffix, wild := strings.CutPrefix(pattern, "*")
	for _, name := range h.names {
		switch {
		case !wild && pattern == name:
			return 1 << 16
		case wild && strings.HasSuffix(name, suffix) && len(name) > len(suffix):
			return 1 + len(suffix)
		}
	}
	return 0
}

// exported reports whether an object of a namespace is visible to the workload.
func (w Workload) exported(to []string, namespace string) bool {
	if len(to) == 0 {
		return true
	}
	return slices.ContainsFunc(to, func(t string) bool {
		return t == "*" || t == w.Namespace || t == "." && namespace == w.Namespace
	})
}
