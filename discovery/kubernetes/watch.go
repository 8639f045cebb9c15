package kubernetes

import (
	"context"
	"fmt"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	client "k8s.io/client-go/kubernetes/typed/discovery/v1"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/internal/engine"
)

// Watch lists the EndpointSlices of a service and follows them. A list of instances is made from all slices of the
// service.
func (d *Driver) Watch(ctx context.Context, service string, emit func([]driver.Instance)) error {
	name, namespace, err := d.place(service)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.life, func() { cancel(ErrClosed) })()
	f := &following{
		driver: d, client: d.config.Client.EndpointSlices(namespace), service: service, emit: emit,
		selector: discoveryv1.LabelServiceName + "=" + name,
	}
	err = f.run(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// following is one call of Watch.
type following struct {
	driver   *Driver
	client   client.EndpointSliceInterface
	service  string
	selector string
	emit     func([]driver.Instance)

	slices  map[string]*discoveryv1.EndpointSlice
	version string // the last resource version that was seen
}

func (f *following) run(ctx context.Context) error {
	if err := f.list(ctx); err != nil {
		return err
	}
	for {
		if err := f.watch(ctx); err != nil {
			return err
		}
	}
}

func (f *following) list(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	list, err := f.client.List(ctx, metav1.ListOptions{LabelSelector: f.selector})
	if err != nil {
		return err
	}
	f.slices, f.version = make(map[string]*discoveryv1.EndpointSlice, len(list.Items)), list.ResourceVersion
	for i := range list.Items {
		f.slices[list.Items[i].Name] = &list.Items[i]
	}
	f.show()
	return nil
}

// watch follows the changes for a time. It returns nil when the time has passed.
func (f *following) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began, limit := time.Now(), engine.Around(watchTime)
	seconds := int64(limit.Seconds())
	late := time.AfterFunc(requestTimeout, cancel)
	changes, err := f.client.Watch(ctx, metav1.ListOptions{
		LabelSelector: f.selector, ResourceVersion: f.version, AllowWatchBookmarks: true, TimeoutSeconds: &seconds,
	})
	if err != nil {
		return err
	}
	defer changes.Stop()
	if !late.Stop() {
		return fmt.Errorf("asking for changes: %w", context.DeadlineExceeded)
	}
	check := time.NewTimer(engine.Around(f.driver.config.Check))
	defer check.Stop()
	for {
		select {
		case event, ok := <-changes.ResultChan():
			if !ok && time.Since(began) >= limit.Truncate(time.Second) {
				return nil
			}
			if !ok {
				return ErrWatchEnded
			}
			if err := f.apply(event); err != nil {
				return err
			}
		case <-check.C:
			if err := f.alive(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		check.Reset(engine.Around(f.driver.config.Check))
	}
}

// alive requests one slice from the API server's cache.
func (f *following) alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options := metav1.ListOptions{LabelSelector: f.selector, Limit: 1, ResourceVersion: "0"}
	if _, err := f.client.List(ctx, options); err != nil {
		return fmt.Errorf("the watch is silent, and so is the API server: %w", err)
	}
	return nil
}

func (f *following) apply(event watch.Event) error {
	if event.Type == watch.Error {
		return apierrors.FromObject(event.Object)
	}
	slice, ok := event.Object.(*discoveryv1.EndpointSlice)
	if !ok {
		return fmt.Errorf("the API server sent a %T", event.Object)
	}
	f.version = slice.ResourceVersion
	switch event.Type {
	case watch.Added, watch.Modified:
		f.slices[slice.Name] = slice
	case watch.Deleted:
		delete(f.slices, slice.Name)
	default: // a bookmark
		return nil
	}
	f.show()
	return nil
}

func (f *following) show() { f.emit(f.driver.instances(f.service, f.slices)) }
