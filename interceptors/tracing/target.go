package tracing

import (
	"net"
	"strconv"
	"strings"
)

// serverAddress returns the host and the port of a target; the port is 0 if there is none. The address is from the
// configuration and never resolved, because the number of label values must not grow with the number of replicas.
// Canonical is the target in the form of gRPC ("scheme://authority/endpoint").
func serverAddress(target, canonical string) (string, int) {
	if path, ok := strings.CutPrefix(target, "unix:"); ok {
		return strings.TrimPrefix(path, "//"), 0
	}
	endpoint := target
	if _, rest, ok := strings.Cut(canonical, "://"); ok {
		_, endpoint, _ = strings.Cut(rest, "/")
	}
	return splitAddress(endpoint)
}

// splitAddress splits "host:port". Any other form is only a host.
func splitAddress(address string) (string, int) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return address, 0
	}
	return host, int(port)
}

// hostPort returns the host and the port of a peer, or "" and 0 for nil.
func hostPort(addr net.Addr) (string, int) {
	switch addr := addr.(type) {
	case nil:
		return "", 0
	case *net.TCPAddr:
		if addr.Zone == "" && len(addr.IP) > 0 {
			return addr.IP.String(), addr.Port
		}
	}
	return splitAddress(addr.String())
}
