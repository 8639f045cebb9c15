package tracing

import (
	"net"
	"strconv"
	"strings"
)

// serverAddress returns the host and the port that a target names, 0 without a port. The address is that of the
// configuration, never one that was resolved from it: a label must not grow with the number of replicas. Canonical is
// the target as gRPC completes it ("scheme://authority/endpoint").
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

// splitAddress splits "host:port". What has another form is all host.
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

// hostPort returns the host and the port of a peer, "" and 0 for nil.
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
