package etcd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// Open is like [New] with a URL:
//
//	etcd://10.0.0.1:2379,10.0.0.2:2379/parley?ca=/etc/etcd/ca.pem&user=orders&password_file=/run/secrets/etcd
//
// The path is the prefix. The parameters are:
//
//	ca             file with the certificates of the authorities that the members' certificates come from
//	tls            "system" trusts the authorities of the system; without tls, ca and cert the connection is plaintext
//	cert, key      files with the certificate and the key that the program shows; they are read for each connection
//	user           name of the user
//	password_file  file with the password, without the line break at its end
func Open(rawURL string) (driver.Driver, error) {
	u, err := engine.ParseURL("etcd", rawURL, "user", "password_file")
	if err != nil {
		return nil, err
	}
	config := Config{Prefix: u.Path, Username: u.Get("user")}
	for member := range strings.SplitSeq(u.Host, ",") {
		if host := strings.TrimRight(member, "0123456789"); host == member || !strings.HasSuffix(host, ":") {
			return nil, fmt.Errorf("etcd: member %q: want host:port, such as 10.0.0.1:2379", member)
		}
		config.Endpoints = append(config.Endpoints, member)
	}
	if config.Password, err = u.Secret("password_file"); err != nil {
		return nil, err
	}
	if (config.Username == "") != (config.Password == "") {
		return nil, errors.New("etcd: want user and password_file together")
	}
	if config.TLS, err = u.TLS(); err != nil {
		return nil, err
	}
	return New(config)
}
