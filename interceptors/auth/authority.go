package auth

import (
	"errors"
	"net"
)

var errAuthority = errors.New("auth: a call may only name the authority of its connection or the service that the server proved to be")

// hostOf is the authority without its port.
func hostOf(authority string) string {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		return authority
	}
	return host
}
