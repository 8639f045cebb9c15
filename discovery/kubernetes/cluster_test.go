package kubernetes_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	client "k8s.io/client-go/kubernetes/typed/discovery/v1"
)

// cluster is an API server within the process, as far as EndpointSlices can be listed and watched. Unlike the fake
// client of client-go it has versions, selectors in watches, and a history that ends.
type cluster struct {
	mu       sync.Mutex
	version  int
	oldest   int // the version before which the history is gone
	slices   map[string]*discoveryv1.EndpointSlice
	history  []change
	watchers map[*watcher]struct{}
	down     bool
	resumed  chan struct{} // closed at the end of a freeze; nil without one
	delay    time.Duration
	lists    int
	asked    []metav1.ListOptions // by watches
}

type change struct {
	version int
	event   watch.Event
}

var errRefused = errors.New("connection refused")

func newCluster() *cluster {
	return &cluster{
		version:  100,
		slices:   make(map[string]*discoveryv1.EndpointSlice),
		watchers: make(map[*watcher]struct{}),
	}
}

// put writes a slice, or deletes it when it has no endpoints.
func (c *cluster) put(s discoveryv1.EndpointSlice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := s.Namespace + "/" + s.Name
	kind := watch.Modified
	if _, known := c.slices[key]; !known {
		kind = watch.Added
	}
	if len(s.Endpoints) == 0 {
		if kind == watch.Added {
			return
		}
		kind = watch.Deleted
	}
	c.version++
	s.ResourceVersion = strconv.Itoa(c.version)
	c.slices[key] = &s
	if kind == watch.Deleted {
		delete(c.slices, key)
	}
	e := change{c.version, watch.Event{Type: kind, Object: &s}}
	c.history = append(c.history, e)
	for w := range c.watchers {
		w.tell(e)
	}
}

func (c *cluster) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	if down {
		c.endWatches()
	}
}

func (c *cluster) endWatches() {
	for w := range c.watchers {
		w.end()
	}
}

// compact makes the history end now, and the watches.
func (c *cluster) compact() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.oldest = c.version
	for w := range c.watchers {
		w.events <- watch.Event{
			Type: watch.Error, Object: &apierrors.NewResourceExpired("too old resource version").ErrStatus,
		}
		w.end()
	}
}

func (c *cluster) setFrozen(frozen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case frozen && c.resumed == nil:
		c.resumed = make(chan struct{})
	case !frozen && c.resumed != nil:
		close(c.resumed)
		c.resumed = nil
	}
}

func (c *cluster) setDelay(delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delay = delay
}

// answer decides what happens to every request.
func (c *cluster) answer(ctx context.Context) error {
	c.mu.Lock()
	resumed, delay, down := c.resumed, c.delay, c.down
	c.mu.Unlock()
	if down {
		return errRefused
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if resumed == nil {
		return nil
	}
	select {
	case <-resumed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// EndpointSlices is the client of one namespace.
func (c *cluster) EndpointSlices(namespace string) client.EndpointSliceInterface {
	return &namespaced{cluster: c, namespace: namespace}
}

type namespaced struct {
	client.EndpointSliceInterface // for the methods that the driver does not use
	cluster                       *cluster
	namespace                     string
}

func (n *namespaced) List(ctx context.Context, opts metav1.ListOptions) (*discoveryv1.EndpointSliceList, error) {
	c := n.cluster
	if err := c.answer(ctx); err != nil {
		return nil, err
	}
	selector, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists++
	list := &discoveryv1.EndpointSliceList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(c.version)}}
	for _, key := range slices.Sorted(maps.Keys(c.slices)) {
		if s := c.slices[key]; s.Namespace == n.namespace && selector.Matches(labels.Set(s.Labels)) {
			list.Items = append(list.Items, *s)
		}
	}
	return list, nil
}

func (n *namespaced) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	c := n.cluster
	if err := c.answer(ctx); err != nil {
		return nil, err
	}
	selector, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	from, err := strconv.Atoi(opts.ResourceVersion)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, opts)
	if from < c.oldest {
		return nil, apierrors.NewResourceExpired("too old resource version")
	}
	w := &watcher{cluster: c, namespace: n.namespace, selector: selector, events: make(chan watch.Event, 10_000)}
	w.timeout = time.AfterFunc(time.Duration(*opts.TimeoutSeconds)*time.Second, w.Stop)
	for _, e := range c.history {
		if e.version > from {
			w.tell(e)
		}
	}
	c.watchers[w] = struct{}{}
	return w, nil
}

// watcher is one watch. The cluster's lock guards it.
type watcher struct {
	cluster   *cluster
	namespace string
	selector  labels.Selector
	events    chan watch.Event
	timeout   *time.Timer
	ended     bool
}

func (w *watcher) ResultChan() <-chan watch.Event { return w.events }

func (w *watcher) Stop() {
	w.cluster.mu.Lock()
	defer w.cluster.mu.Unlock()
	w.end()
}

func (w *watcher) end() {
	if !w.ended {
		w.ended = true
		w.timeout.Stop()
		close(w.events)
		delete(w.cluster.watchers, w)
	}
}

func (w *watcher) tell(e change) {
	s, ok := e.event.Object.(*discoveryv1.EndpointSlice)
	if ok && s.Namespace == w.namespace && w.selector.Matches(labels.Set(s.Labels)) {
		w.events <- watch.Event{Type: e.event.Type, Object: runtime.Object(s.DeepCopy())}
	}
}
