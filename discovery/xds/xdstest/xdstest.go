// Package xdstest is a small xDS control plane within a test process, for tests of channels and servers.
//
// gRPC reads its bootstrap once, when a process starts. A package whose tests use this package must therefore run them
// with
//
//	func TestMain(m *testing.M) { os.Exit(xdstest.Main(m)) }
//
// and each test starts its own control plane with [Start]. All control planes use the same address, so such tests
// cannot run in parallel.
package xdstest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

// ControlPlane is a control plane. It is safe for concurrent use.
type ControlPlane struct {
	t       testing.TB
	address string

	mu        sync.Mutex
	cache     cachev3.SnapshotCache
	resources map[string]types.Resource // keyed by type and name
	version   int
	stop      func() // nil while it is stopped
}

// Start returns a control plane without resources. It stops when the test ends.
func Start(t testing.TB) *ControlPlane {
	t.Helper()
	address := os.Getenv(addressVariable)
	if address == "" {
		t.Fatal("xdstest: gRPC has no bootstrap; call xdstest.Main in func TestMain")
	}
	p := &ControlPlane{
		t: t, address: address,
		cache:     cachev3.NewSnapshotCache(false, cachev3.IDHash{}, nil),
		resources: map[string]types.Resource{},
	}
	p.Resume()
	t.Cleanup(p.Stop)
	return p
}

// Stop simulates a crash of the control plane: its connections break, and new ones are refused. It keeps its resources.
func (p *ControlPlane) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// Resume starts the control plane again.
func (p *ControlPlane) Resume() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		return
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, serverv3.NewServer(ctx, p.cache, nil))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); err != nil {
			p.t.Error(err)
		}
	})
	p.stop = func() {
		cancel()
		server.Stop()
		serving.Wait()
	}
}

// Put adds resources and sends them to all clients. A resource replaces the resource of the same type and name.
func (p *ControlPlane) Put(resources ...types.Resource) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range resources {
		p.resources[key(r)] = r
	}
	p.publish()
}

// Delete removes resources.
func (p *ControlPlane) Delete(resources ...types.Resource) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range resources {
		delete(p.resources, key(r))
	}
	p.publish()
}

func key(r types.Resource) string {
	return string(r.ProtoReflect().Descriptor().FullName()) + " " + cachev3.GetResourceName(r)
}

// publish is called with the lock held.
func (p *ControlPlane) publish() {
	p.t.Helper()
	byType := map[resource.Type][]types.Resource{}
	for k, r := range maps.All(p.resources) {
		name, _, _ := strings.Cut(k, " ")
		byType["type.googleapis.com/"+name] = append(byType["type.googleapis.com/"+name], r)
	}
	p.version++
	snapshot, err := cachev3.NewSnapshot(strconv.Itoa(p.version), byType)
	if err == nil {
		err = p.cache.SetSnapshot(context.Background(), nodeID, snapshot)
	}
	if err != nil {
		p.t.Error(fmt.Errorf("xdstest: %w", err))
	}
}
