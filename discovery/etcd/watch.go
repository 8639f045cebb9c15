package etcd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// prefix returns the prefix of the keys of a service. It ends in a slash, so that the prefix of "user" does not match
// keys of "user-admin".
func (d *Driver) prefix(service string) string { return d.config.Prefix + "/" + service + "/" }

// Watch reads the list of service and follows the changes after it. While there are no changes, it checks at intervals
// that etcd has a leader and that the number of instances is the same.
func (d *Driver) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	if err := driver.CheckService(service); err != nil {
		return err
	}
	ctx, cancel := d.life.Request(ctx)
	defer cancel()
	client, err := d.reach(ctx)
	if err != nil {
		return err
	}
	f := &following{client: client, prefix: d.prefix(service), service: service, emit: emit}
	err = f.run(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// following is one call of Watch.
type following struct {
	client  *clientv3.Client
	prefix  string
	service string
	emit    func([]driver.Instance)

	entries map[string]driver.Instance
	known   map[string]bool // the keys, including those with an invalid value
	changed int             // counts the changes
}

func (f *following) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	revision, err := f.list(ctx)
	if err != nil {
		return err
	}
	events, err := f.watch(ctx, revision+1)
	if err != nil {
		return err
	}
	timer := time.NewTimer(engine.Around(checkInterval))
	defer timer.Stop()
	checked := -1
	for {
		select {
		case event, ok := <-events:
			if !ok {
				return ErrWatchEnded
			}
			if err := event.Err(); err != nil {
				return err
			}
			f.apply(event.Events)
		case <-timer.C:
			keys, err := f.count(ctx)
			if err != nil {
				return err
			}
			if keys != int64(len(f.known)) && checked == f.changed {
				return ErrWatchBehind // twice, with no change in between
			}
			checked = -1
			if keys != int64(len(f.known)) {
				checked = f.changed
			}
			timer.Reset(engine.Around(checkInterval))
		}
	}
}

// list reads and emits all instances, and returns the revision of the list.
func (f *following) list(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	reply, err := f.client.Get(ctx, f.prefix, clientv3.WithPrefix())
	if err != nil {
		return 0, fmt.Errorf("reading the list: %w", err)
	}
	f.entries, f.known = make(map[string]driver.Instance, len(reply.Kvs)), make(map[string]bool, len(reply.Kvs))
	for _, kv := range reply.Kvs {
		f.put(string(kv.GetKey()), kv.GetValue())
	}
	f.show()
	return reply.Header.GetRevision(), nil
}

// watch starts a watch for changes, with a deadline. Without one, the client's Watch blocks while there is no
// connection.
func (f *following) watch(ctx context.Context, revision int64) (clientv3.WatchChan, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(requestTimeout, cancel)
	events := f.client.Watch(clientv3.WithRequireLeader(ctx), f.prefix, clientv3.WithPrefix(), clientv3.WithRev(revision))
	if !late.Stop() {
		cancel()
		return nil, fmt.Errorf("asking for changes: %w", context.DeadlineExceeded)
	}
	context.AfterFunc(ctx, cancel)
	return events, nil
}

// count returns the number of keys. A member without a leader does not answer.
func (f *following) count(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	reply, err := f.client.Get(ctx, f.prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, fmt.Errorf("the watch is silent, and so is etcd: %w", err)
	}
	return reply.Count, nil
}

func (f *following) apply(events []*clientv3.Event) {
	if len(events) == 0 {
		return
	}
	for _, event := range events {
		key := string(event.GetKv().GetKey())
		if event.GetType() == mvccpb.Event_DELETE {
			delete(f.known, key)
			delete(f.entries, key)
			continue
		}
		f.put(key, event.GetKv().GetValue())
	}
	f.changed++
	f.show()
}

// put reads the value of a key. It skips values that are not an instance of this service and this key.
func (f *following) put(key string, value []byte) {
	f.known[key] = true
	in, err := driver.Parse(value)
	if err != nil || in.Service != f.service || in.ID != strings.TrimPrefix(key, f.prefix) {
		delete(f.entries, key)
		return
	}
	f.entries[key] = in
}

func (f *following) show() {
	list := make([]driver.Instance, 0, len(f.entries))
	for _, in := range f.entries {
		list = append(list, in)
	}
	f.emit(list)
}
