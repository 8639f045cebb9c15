package dns

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// placeholder is replaced by the name of the service in a pattern.
const placeholder = "{service}"

// query is the DNS query for one service.
type query struct {
	host string // a name with address records, or a name with SRV records if port is ""
	port string
}

// parseQuery reads "host:port" or "_name._proto.host".
func parseQuery(text string) (query, error) {
	if strings.HasPrefix(text, "_") {
		labels := strings.SplitN(text, ".", 3)
		if len(labels) < 3 || len(labels[0]) < 2 || len(labels[1]) < 2 || labels[1][0] != '_' || !isName(labels[2]) {
			return query{}, errors.New("want _name._proto.host, such as _grpc._tcp.payments.example.com")
		}
		return query{host: text}, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || !isName(host) && net.ParseIP(host) == nil {
		return query{}, errors.New("want host:port, such as payments.example.com:8443, or _name._proto.host for SRV records")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return query{}, errors.New("want a port between 1 and 65535")
	}
	return query{host: host, port: port}, nil
}

// isName reports whether host consists of valid DNS labels. The placeholder is a valid label.
func isName(host string) bool {
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		label = strings.ReplaceAll(label, placeholder, "service")
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}

// of replaces the placeholder by the name of a service.
func (q query) of(service string) query {
	return query{host: strings.ReplaceAll(q.host, placeholder, service), port: q.port}
}

func (q query) srv() bool { return q.port == "" }
