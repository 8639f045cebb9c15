package etcd

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// Announce creates a lease and stores the instance with it.
func (d *Driver) Announce(ctx context.Context, in driver.Instance, ttl time.Duration) (driver.Lease, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	text, err := in.Text()
	if err != nil {
		return nil, err
	}
	ctx, cancel := d.life.Request(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	client, err := d.reach(ctx)
	if err != nil {
		return nil, err
	}
	granting, granted := context.WithTimeout(ctx, requestTimeout)
	defer granted()
	began := time.Now()
	grant, err := client.Grant(granting, int64(math.Ceil(ttl.Seconds())))
	if err != nil {
		return nil, err
	}
	l := &lease{
		driver: d, client: client, id: grant.ID, key: d.prefix(in.Service) + in.ID,
		ttl: time.Duration(grant.TTL) * time.Second, lost: make(chan struct{}),
	}
	l.until = began.Add(l.ttl)
	l.ctx, l.stop = context.WithCancel(d.life.Context())
	err = l.put(granting, text)
	if err == nil && !d.life.Start(l.keep) {
		err = ErrClosed
	}
	if err != nil {
		l.stop()
		_, revokeErr := client.Revoke(granting, grant.ID) // on failure the lease expires after its ttl
		return nil, errors.Join(err, unlessGone(revokeErr))
	}
	return l, nil
}

// lease is one announced instance.
type lease struct {
	driver *Driver
	client *clientv3.Client
	id     clientv3.LeaseID
	key    string
	ttl    time.Duration
	ctx    context.Context // ends with the lease
	stop   context.CancelFunc

	until   time.Time // when the lease expires without a renewal
	revoked atomic.Bool
	lost    chan struct{} // closed by keep
}

var _ driver.Lease = (*lease)(nil)

func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) Update(ctx context.Context, in driver.Instance) error {
	if l.revoked.Load() || l.ctx.Err() != nil {
		return ErrLeaseEnded
	}
	text, err := in.Text()
	if err != nil {
		return err
	}
	ctx, cancel := l.driver.life.Request(ctx)
	defer cancel()
	ctx, done := context.WithTimeout(ctx, requestTimeout)
	defer done()
	return l.put(ctx, text)
}

// Revoke ends the lease in etcd. Etcd then removes the key, unless the key has another lease by then.
func (l *lease) Revoke(ctx context.Context) error {
	l.revoked.Store(true)
	l.stop()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	_, err := l.client.Revoke(ctx, l.id)
	return unlessGone(err)
}

func (l *lease) put(ctx context.Context, text []byte) error {
	_, err := l.client.Put(ctx, l.key, string(text), clientv3.WithLease(l.id))
	return err
}

// keep renews the lease until it ends.
func (l *lease) keep() {
	defer close(l.lost)
	defer l.stop()
	engine.Keep(l.ctx, l.ttl, l.until, l.renew)
}

// renew extends the lease and checks that the key exists. The key may have another lease by then, which is fine: the
// last announcement wins.
func (l *lease) renew(ctx context.Context) (time.Time, bool, error) {
	client, err := l.driver.reach(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	began := time.Now()
	reply, err := client.KeepAliveOnce(ctx, l.id)
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, err
	}
	key, err := client.Get(ctx, l.key, clientv3.WithCountOnly())
	if err != nil {
		return time.Time{}, false, err
	}
	return began.Add(time.Duration(reply.TTL) * time.Second), key.Count > 0, nil
}

// unlessGone returns err, or nil if err means that the lease no longer exists.
func unlessGone(err error) error {
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return err
}
