package admin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ErrNotLoopback is matched by the errors of [CheckLoopback] about an address that others may reach.
var ErrNotLoopback = errors.New("not a loopback address")

// CheckLoopback returns nil when a listener at addr ("127.0.0.1:9090", "[::1]:0", "localhost:9090") can be reached from
// this machine alone. Otherwise its error matches [ErrNotLoopback], or says that addr is no address. Names other than
// localhost are refused, because what they resolve to may change.
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
	return fmt.Errorf("%q is %w; the admin surface has no login, so listen on 127.0.0.1 and reach it through ssh -L or kubectl port-forward", addr, ErrNotLoopback)
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// isLocal reports whether the request was sent to a loopback host name on a loopback address. A page of another site
// that makes its own name resolve to 127.0.0.1 gets through to the address but still sends its own name.
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
