// Package consul finds and announces instances in Consul.
//
//	driver, err := consul.Open("consul://127.0.0.1:8500?token_file=/run/secrets/consul")
//
// An instance is a service of the local agent with a TTL check that the driver renews. Its address, port and weight are
// Consul's own, so that others can use it; the whole instance is in its metadata. Services that others registered are
// found too, with what Consul knows of them. Only what passes its checks is listed.
//
// What the URL leaves out, the CONSUL_* variables of the environment may say, as for every client of Consul.
package consul

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// The errors of a Driver. Match them with errors.Is.
const (
	// ErrClosed means that the driver was closed.
	ErrClosed driver.Error = "the driver is closed"
	// ErrLeaseEnded means that a lease was lost or revoked.
	ErrLeaseEnded driver.Error = "the lease has ended"
	// ErrNoLeader means that the servers of Consul have no leader, so that nobody knows what is true.
	ErrNoLeader driver.Error = "Consul has no leader"
	// ErrNoIndex means that an answer does not say which state it shows.
	ErrNoIndex driver.Error = "the answer has no index"
	// ErrFiltered means that the token may not read the service, of which Consul then shows nothing.
	ErrFiltered driver.Error = "the token may not read the service"
)

// Config says where the agent is and who the program is there.
type Config struct {
	// Address is host:port of the agent, as a rule that of the own machine. Required.
	Address string
	// TLS is for the connection; nil means plaintext.
	TLS *tls.Config
	// Token is the program's ACL token, or "".
	Token string
	// Datacenter, Namespace and Partition are where services are found and registered; "" means those of the agent.
	Datacenter, Namespace, Partition string
	// Wait is how long a query waits for a change. The default is 5s.
	Wait time.Duration
	// Dial makes the connections; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Driver is a client of one agent. Its methods may be called from any goroutine.
type Driver struct {
	address   string
	wait      time.Duration
	client    *api.Client
	transport *http.Transport

	life *engine.Life
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver. It connects when it is first used.
func New(config Config) (*Driver, error) {
	if config.Address == "" {
		return nil, errors.New("consul: there is no address; give host:port of the agent")
	}
	if config.Wait <= 0 {
		config.Wait = defaultWait
	}
	if config.Dial == nil {
		config.Dial = (&net.Dialer{Timeout: requestTimeout}).DialContext
	}
	transport := &http.Transport{
		DialContext:         config.Dial,
		TLSClientConfig:     config.TLS,
		TLSHandshakeTimeout: requestTimeout,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     time.Minute,
	}
	scheme := "http"
	if config.TLS != nil {
		scheme = "https"
	}
	client, err := api.NewClient(&api.Config{
		Address: config.Address, Scheme: scheme, HttpClient: &http.Client{Transport: transport}, Token: config.Token,
		Datacenter: config.Datacenter, Namespace: config.Namespace, Partition: config.Partition,
	})
	if err != nil {
		return nil, fmt.Errorf("consul: %w", err)
	}
	d := &Driver{
		address:   config.Address,
		wait:      config.Wait,
		client:    client,
		transport: transport,
		life:      engine.NewLife(ErrClosed),
	}
	return d, nil
}

// Open is [New] for a URL:
//
//	consul://127.0.0.1:8500?token_file=/run/secrets/consul&ca=/etc/consul/ca.pem
//
// What follows the question mark may be
//
//	ca                          file with the certificates of the authorities that the agent's certificate comes from
//	tls                         "system" trusts the authorities of the system; without tls, ca and cert the connection is plaintext
//	cert, key                   files with the certificate and the key that the program shows; read for each connection
//	token_file                  file with the ACL token, without the line break at its end; read once
//	dc, namespace, partition    where services are found and registered
//	wait                        how long a query waits for a change, such as 5s
func Open(rawURL string) (driver.Driver, error) {
	u, err := engine.ParseURL("consul", rawURL, "token_file", "dc", "namespace", "partition", "wait")
	if err != nil {
		return nil, err
	}
	if u.Port() == "" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf(
			"consul: %q: want consul://host:port, such as consul://127.0.0.1:8500, without a path",
			u.Host+u.Path,
		)
	}
	config := Config{
		Address:    u.Host,
		Datacenter: u.Get("dc"),
		Namespace:  u.Get("namespace"),
		Partition:  u.Get("partition"),
	}
	if text := u.Get("wait"); text != "" {
		if config.Wait, err = time.ParseDuration(text); err != nil || config.Wait < time.Second ||
			config.Wait > 10*time.Minute {
			return nil, fmt.Errorf("consul: wait=%s: want a time between 1s and 10m", text)
		}
	}
	if config.Token, err = u.Secret("token_file"); err != nil {
		return nil, err
	}
	if config.TLS, err = u.TLS(); err != nil {
		return nil, err
	}
	return New(config)
}

// String names the agent.
func (d *Driver) String() string { return "consul at " + d.address }

// Close ends every Watch and every lease, and the connections.
func (d *Driver) Close() error {
	d.life.End()
	d.transport.CloseIdleConnections()
	return nil
}
