package grpcresolver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fabric is a network in memory, in which servers have addresses.
type fabric struct {
	mu        sync.Mutex
	listeners map[string]*bufconn.Listener
	dials     map[string]int
}

func newFabric() *fabric {
	return &fabric{listeners: make(map[string]*bufconn.Listener), dials: make(map[string]int)}
}

// serve starts a server that answers every message of every call with its address.
func (f *fabric) serve(t testing.TB, addr string) {
	l := bufconn.Listen(1 << 16)
	f.mu.Lock()
	f.listeners[addr] = l
	f.mu.Unlock()
	srv := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		for {
			if err := stream.RecvMsg(new(emptypb.Empty)); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := stream.SendMsg(wrapperspb.String(addr)); err != nil {
				return err
			}
		}
	}))
	var serving sync.WaitGroup
	serving.Go(func() { _ = srv.Serve(l) })
	t.Cleanup(func() {
		srv.Stop()
		serving.Wait()
	})
}

func (f *fabric) dial(ctx context.Context, addr string) (net.Conn, error) {
	f.mu.Lock()
	f.dials[addr]++
	l := f.listeners[addr]
	f.mu.Unlock()
	if l == nil {
		return nil, errors.New("no server listens at " + addr)
	}
	c, err := l.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	return conn{c, addr}, nil
}

func (f *fabric) dialed() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, dials := range f.dials {
		n += dials
	}
	return n
}

// conn is a connection to an address, which is the address of the peer.
type conn struct {
	net.Conn
	addr string
}

func (c conn) RemoteAddr() net.Addr { return address(c.addr) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// channel makes a channel to the service payments.
func (f *fabric) channel(t testing.TB, reg *discovery.Registry, opts ...grpc.DialOption) *grpc.ClientConn {
	return f.open(t, append(grpcresolver.DialOptions(reg, "parley"), opts...)...)
}

// open makes a channel to the service payments that resolves it as opts say.
func (f *fabric) open(t testing.TB, opts ...grpc.DialOption) *grpc.ClientConn {
	config, err := json.Marshal(map[string]any{"loadBalancingConfig": []any{grpcbalancer.Config("round_robin")}})
	if err != nil {
		t.Fatal(err)
	}
	opts = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(f.dial),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultServiceConfig(string(config)),
	}, opts...)
	cc, err := grpc.NewClient("parley:///payments", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
	})
	return cc
}

// ask makes one call and returns the address of the server that answered.
func ask(ctx context.Context, cc *grpc.ClientConn, opts ...grpc.CallOption) (string, error) {
	var reply wrapperspb.StringValue
	err := cc.Invoke(ctx, "/test.Where/Are", new(emptypb.Empty), &reply, opts...)
	return reply.GetValue(), err
}

// answers makes n calls, which must all succeed, and counts them by server.
func answers(t testing.TB, cc *grpc.ClientConn, n int) map[string]int {
	t.Helper()
	count := make(map[string]int)
	for range n {
		addr, err := ask(t.Context(), cc, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		count[addr]++
	}
	return count
}

func newRegistry(t testing.TB, d driver.Driver, opts ...discovery.Option) *discovery.Registry {
	reg := discovery.New(d, opts...)
	t.Cleanup(func() {
		if err := reg.Close(); err != nil {
			t.Error(err)
		}
	})
	return reg
}

func payments(addr string) discovery.Instance {
	return discovery.Instance{ID: addr, Service: "payments", Addresses: []string{addr}}
}

// announce makes instances visible through a client of its own.
func announce(t testing.TB, d driver.Driver, instances ...discovery.Instance) []driver.Lease {
	t.Helper()
	leases := make([]driver.Lease, 0, len(instances))
	for _, in := range instances {
		l, err := d.Announce(t.Context(), in, 15*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		leases = append(leases, l)
	}
	return leases
}
