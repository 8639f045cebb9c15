package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ErrNotLoopback is the error of [CheckLoopback] for an address that other machines can reach. Match it with errors.Is.
var ErrNotLoopback = errors.New("not a loopback address")

// CheckLoopback returns nil if a listener at addr ("127.0.0.1:9090", "[::1]:0", "localhost:9090") can be reached only
// from this machine. Otherwise its error matches [ErrNotLoopback], or means that addr is invalid. Names other than
// localhost are refused, because their addresses may change.
func CheckLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not an address: %w; write it as 127.0.0.1:9090", addr, err)
	}
	if isLoopback(host) {
		return nil
	}
	if host == "" {
		return fmt.Errorf("%q listens on every interface, and is %w; write 127.0.0.1%s", addr, ErrNotLoopback, addr)
	}
	return fmt.Errorf(
		"%q is %w; the admin surface has no login, so listen on 127.0.0.1 and use ssh -L or kubectl port-forward to reach it",
		addr, ErrNotLoopback,
	)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isLocal reports whether the request was sent to a loopback host name on a loopback address. Another site can make its
// own name resolve to 127.0.0.1, but its requests still have its own host name.
func isLocal(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok && !local.IP.IsLoopback() {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]")
	}
	return isLoopback(host)
}
