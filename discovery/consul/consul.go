// Package consul finds and announces instances in Consul.
//
//	driver, err := consul.Open("consul://127.0.0.1:8500?token_file=/run/secrets/consul")
//
// An instance is a service of the local agent with a TTL check, which the driver renews. The address, port and weight
// are standard fields of Consul, so that other programs can use the instance. The complete instance is in the metadata.
// The driver also finds services that other programs registered, with the fields that Consul has. It lists only
// services whose checks pass.
//
// The CONSUL_* variables of the environment are defaults for the parameters of the URL, as in every client of Consul.
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
	// ErrNoLeader means that the servers of Consul have no leader, so that their answers may be out of date.
	ErrNoLeader driver.Error = "Consul has no leader"
	// ErrNoIndex means that an answer has no index, so that the driver cannot wait for the next change.
	ErrNoIndex driver.Error = "the answer has no index"
	// ErrFiltered means that the token may not read the service. Consul then lists no instances.
	ErrFiltered driver.Error = "the token may not read the service"
)

// Config is the address of an agent and the credentials for it.
type Config struct {
	// Address is the host:port of the agent, which usually runs on the same machine. Required.
	Address string
	// TLS is the configuration of the connection. Nil means plaintext.
	TLS *tls.Config
	// Token is the ACL token of the program, or "".
	Token string
	// Datacenter, Namespace and Partition are where services are found and registered. The defaults are those of the
	// agent.
	Datacenter, Namespace, Partition string
	// Wait is how long a query waits for a change. The default is 5s.
	Wait time.Duration
	// Dial opens the connections. Nil means TCP.
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

// New returns a driver. The driver connects when it is first used.
func New(config Config) (*Driver, error) {
	if config.Address == "" {
		return nil, errors.New("consul: the address is missing; set Address to the host:port of the agent")
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

// Open is like [New] with a URL:
//
//	consul://127.0.0.1:8500?token_file=/run/secrets/consul&ca=/etc/consul/ca.pem
//
// The parameters are:
//
//	ca                          file with the certificates of the authorities that the agent's certificate comes from
//	tls                         "system" trusts the authorities of the system; the default is plaintext
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

// String returns the name of the engine and the address of the agent.
func (d *Driver) String() string { return "consul at " + d.address }

// Close ends every Watch and every lease, and closes the connections.
func (d *Driver) Close() error {
	d.life.End()
	d.transport.CloseIdleConnections()
	return nil
}
