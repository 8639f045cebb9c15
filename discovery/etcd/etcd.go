// Package etcd finds and announces instances in etcd.
//
//	driver, err := etcd.Open("etcd://10.0.0.1:2379,10.0.0.2:2379/parley?ca=/etc/etcd/ca.pem")
//
// An instance is the key <prefix>/<service>/<ID> with its own lease. The value is the instance in JSON.
//
// All requests have deadlines, and a silent watch is tested. After the loss of a connection, or of etcd's history, the
// driver reads the whole list again.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// The errors of a Driver. Match them with errors.Is.
const (
	// ErrClosed means that the driver was closed.
	ErrClosed driver.Error = "the driver is closed"
	// ErrLeaseEnded means that a lease was lost or revoked.
	ErrLeaseEnded driver.Error = "the lease has ended"
	// ErrWatchEnded means that etcd ended a watch without an error.
	ErrWatchEnded driver.Error = "etcd ended the watch"
	// ErrWatchBehind means that a watch missed a change: etcd has another number of instances.
	ErrWatchBehind driver.Error = "the watch is behind"
)

// Config is the address of etcd and the credentials for it.
type Config struct {
	// Endpoints are the host:port of each member. Required.
	Endpoints []string
	// Prefix is the prefix of all keys, without a slash at its start or end. The default is "parley".
	Prefix string
	// TLS is the configuration of the connection. Nil means plaintext. The certificate of a member must have the host name
	// of its endpoint. ServerName is ignored.
	TLS *tls.Config
	// Username and Password are the credentials of a user of etcd, or "".
	Username, Password string
}

// Driver is a client of etcd. Its methods may be called from any goroutine.
type Driver struct {
	config Config

	life    *engine.Life
	dialing chan struct{} // holds a token unless a goroutine is making the client

	mu     sync.Mutex
	client *clientv3.Client
}

var _ driver.Driver = (*Driver)(nil)

// New returns a driver. The driver connects when it is first used.
func New(config Config) (*Driver, error) {
	config.Prefix = strings.Trim(config.Prefix, "/")
	if config.Prefix == "" {
		config.Prefix = defaultPrefix
	}
	if len(config.Endpoints) == 0 {
		return nil, errors.New("etcd: the endpoints are missing; set Endpoints to the host:port of each member")
	}
	if config.Password != "" && config.Username == "" {
		return nil, errors.New("etcd: the password has no user name; set both, or neither")
	}
	d := &Driver{config: config, life: engine.NewLife(ErrClosed), dialing: make(chan struct{}, 1)}
	d.dialing <- struct{}{}
	return d, nil
}

// String returns the name of the engine and the addresses of its members.
func (d *Driver) String() string { return "etcd at " + strings.Join(d.config.Endpoints, ",") }

// Close ends every Watch and every lease, and closes the connection.
func (d *Driver) Close() error {
	first := d.life.End()
	d.mu.Lock()
	client := d.client
	d.mu.Unlock()
	if !first || client == nil {
		return nil
	}
	return unlessCanceled(client.Close())
}

// unlessCanceled returns err, or nil if err only means that a context has ended.
func unlessCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// reach returns the client when its connection is up or has failed again. It skips the client's backoff, because the
// Registry has already waited for a random time.
func (d *Driver) reach(ctx context.Context) (*clientv3.Client, error) {
	client, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	conn := client.ActiveConnection()
	conn.Connect()
	state := conn.GetState()
	if state == connectivity.TransientFailure {
		conn.ResetConnectBackoff()
		conn.WaitForStateChange(ctx, state)
	}
	for state = conn.GetState(); state == connectivity.Connecting || state == connectivity.Idle; state = conn.GetState() {
		if !conn.WaitForStateChange(ctx, state) {
			break
		}
	}
	return client, nil
}

// dial makes the client. With a user name, the client requests a token from etcd.
func (d *Driver) dial(ctx context.Context) (*clientv3.Client, error) {
	select {
	case <-d.dialing:
		defer func() { d.dialing <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	d.mu.Lock()
	client := d.client
	d.mu.Unlock()
	switch {
	case d.life.Over():
		return nil, ErrClosed
	case client != nil:
		return client, nil
	}
	base, cancel := context.WithCancel(d.life.Context())
	stop := context.AfterFunc(ctx, cancel)
	client, err := clientv3.New(d.clientConfig(base)) //nolint:contextcheck // the client outlives the call that makes it
	if err != nil {
		cancel()
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !stop() || d.life.Over() {
		cancel()
		return nil, errors.Join(context.Cause(ctx), unlessCanceled(client.Close()))
	}
	d.client = client
	return client, nil
}

// failFast makes requests fail at once while etcd cannot be reached. Otherwise the client of etcd would let them wait
// until they time out, and the cause would be lost.
func failFast(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	return invoker(ctx, method, req, reply, cc, append(opts, grpc.WaitForReady(false))...)
}

func (d *Driver) clientConfig(base context.Context) clientv3.Config {
	retry := backoff.DefaultConfig
	retry.BaseDelay, retry.MaxDelay = 200*time.Millisecond, reconnectMost
	return clientv3.Config{
		Endpoints:            d.config.Endpoints,
		TLS:                  d.config.TLS,
		Username:             d.config.Username,
		Password:             d.config.Password,
		DialTimeout:          requestTimeout,
		DialKeepAliveTime:    keepAliveTime,
		DialKeepAliveTimeout: keepAliveTimeout,
		MaxUnaryRetries:      1, // the Registry tries again
		Context:              base,
		Logger:               zap.NewNop(),
		DialOptions: []grpc.DialOption{
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: requestTimeout}),
			grpc.WithChainUnaryInterceptor(failFast),
		},
	}
}
