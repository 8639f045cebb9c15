package grpcbalancer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

// ways are how an instance can be dead.
var ways = map[string]func(context.Context) error{
	"refuses connections": func(context.Context) error { return errors.New("connection refused") },
	"is not there": func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	},
}

// Of a large service most instances are dead and still listed. Each channel finds one that is alive, and keeps it.
func TestASubsetReplacesDeadMembers(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t)
				dial := func(ctx context.Context, addr string) (net.Conn, error) {
					if s.listeners[addr] == nil {
						return nil, way(ctx)
					}
					return s.dial(ctx, addr)
				}
				all := []string{"one", "two", "three"}
				for i := range 57 {
					all = append(all, fmt.Sprintf("dead-%d", i))
				}
				for range 10 {
					c := s.counted(t, grpcbalancer.Balancing{
						Policy: grpcbalancer.RoundRobin, Subset: grpcbalancer.Subset{Above: 20, Size: 10},
					}, grpc.WithContextDialer(dial), grpc.WithConnectParams(grpc.ConnectParams{
						Backoff: backoff.DefaultConfig, MinConnectTimeout: 5 * time.Second,
					}))
					c.UpdateState(endpoints(all...))
					time.Sleep(time.Minute)
					n, _ := c.states.Count()
					if n.Usable == 0 || n.Usable+n.Unready != 10 {
						t.Errorf("a minute later there are %v; want 10, some of them usable", n)
					}
					c.end()
				}
			})
		})
	}
}

// A member that is away for less than a second keeps its place.
func TestASubsetKeepsAMemberThatRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		var down atomic.Bool
		var open atomic.Pointer[net.Conn]
		dial := func(ctx context.Context, addr string) (net.Conn, error) {
			if down.Load() {
				return nil, errors.New("connection refused")
			}
			conn, err := s.dial(ctx, addr)
			if err == nil {
				open.Store(&conn)
			}
			return conn, err
		}
		c := s.counted(t, grpcbalancer.Balancing{
			Policy: grpcbalancer.RoundRobin, Subset: grpcbalancer.Subset{Above: 2, Size: 2},
		}, grpc.WithContextDialer(dial))
		c.UpdateState(endpoints("one", "two", "three"))
		synctest.Wait()
		before := among(t, c.ClientConn, 10)
		down.Store(true)
		_ = (*open.Load()).Close()
		time.Sleep(500 * time.Millisecond)
		down.Store(false)
		time.Sleep(10 * time.Second)
		after := among(t, c.ClientConn, 10)
		if len(before) != 2 || fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("calls went to %v, and after a short restart to %v; want the same two", before, after)
		}
	})
}
