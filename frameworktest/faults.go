package frameworktest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
)

// Faults is a script of what goes wrong with the calls that a server receives. Each call of a method takes the next
// fault scripted for it; when there is none left, calls go through. Faults is safe for concurrent use, and a script may
// be continued while the server runs.
//
//	faults := frameworktest.NewFaults().
//		Fail(getQuote, 2, codes.Unavailable).
//		Delay(getQuote, 1, 300*time.Millisecond)
type Faults struct {
	mu      sync.Mutex
	scripts map[string][]fault
	calls   map[string]int
}

type fault struct {
	name string
	// meet does what goes wrong. It returns whether the handler still runs, and an error to answer with instead.
	meet func(ctx context.Context) (runs bool, err error)
	// after replaces what the handler answered.
	after func(ctx context.Context) error
}

// NewFaults returns an empty script.
func NewFaults() *Faults {
	return &Faults{scripts: map[string][]fault{}, calls: map[string]int{}}
}

// Fail answers the next n calls of method ("/package.Service/Method") with code, before the handler runs.
func (f *Faults) Fail(method string, n int, code codes.Code) *Faults {
	return f.add(method, n, fault{name: "fail " + code.String(), meet: func(context.Context) (bool, error) {
		return false, status.Error(code, "scripted fault")
	}})
}

// Answer answers the next n calls of method with what answer returns, instead of the handler. It may set headers and
// trailers through grpc.SetHeader and grpc.SetTrailer.
func (f *Faults) Answer(method string, n int, answer func(ctx context.Context) error) *Faults {
	return f.add(method, n, fault{name: "answer", meet: func(ctx context.Context) (bool, error) {
		return false, answer(ctx)
	}})
}

// Delay lets the next n calls of method wait before the handler runs.
func (f *Faults) Delay(method string, n int, d time.Duration) *Faults {
	return f.add(method, n, fault{name: "delay " + d.String(), meet: func(ctx context.Context) (bool, error) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true, nil
		case <-ctx.Done():
			return false, status.FromContextError(ctx.Err()).Err()
		}
	}})
}

// Hang never answers the next n calls of method: they end when the caller gives up.
func (f *Faults) Hang(method string, n int) *Faults {
	return f.add(method, n, fault{name: "hang", meet: func(ctx context.Context) (bool, error) {
		<-ctx.Done()
		return false, status.FromContextError(ctx.Err()).Err()
	}})
}

// Drop closes the connection of the next n calls of method, before the handler runs. The caller cannot know whether it
// ran.
func (f *Faults) Drop(method string, n int) *Faults {
	return f.add(method, n, fault{name: "drop", meet: func(ctx context.Context) (bool, error) {
		return false, drop(ctx)
	}})
}

// Lose runs the handler for the next n calls of method and closes the connection instead of sending what it answered.
func (f *Faults) Lose(method string, n int) *Faults {
	return f.add(method, n, fault{
		name:  "lose",
		meet:  func(context.Context) (bool, error) { return true, nil },
		after: drop,
	})
}

// Pass lets the next n calls of method through, so that a later fault meets a later call.
func (f *Faults) Pass(method string, n int) *Faults {
	return f.add(method, n, fault{name: "pass", meet: func(context.Context) (bool, error) { return true, nil }})
}

// Calls is how many calls of method the server has received, those that met a fault included.
func (f *Faults) Calls(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// Option makes a server play the script. One script may serve several servers, which then share it. A test fails whose
// script is for a method that no server with it has, if [Network.Server] made one of them.
func (f *Faults) Option() framework.ServerOption {
	return script{framework.WithHandlerInterceptors(f.unary, f.stream), f}
}

// script is the option of a Faults, by which a Network finds it.
type script struct {
	framework.ServerOption
	faults *Faults
}

// unknown returns the scripted methods that none of the servers has.
func (f *Faults) unknown(servers []*framework.Server) []string {
	known := map[string]bool{}
	for _, s := range servers {
		for service, info := range s.GetServiceInfo() {
			for _, m := range info.Methods {
				known["/"+service+"/"+m.Name] = true
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(func(yield func(string) bool) {
		for method := range f.scripts {
			if !known[method] && !yield(method) {
				return
			}
		}
	})
}

// String lists what is still to come.
func (f *Faults) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	for method, script := range f.scripts {
		for _, fault := range script {
			fmt.Fprintf(&b, "%s: %s\n", method, fault.name)
		}
	}
	return b.String()
}

func (f *Faults) add(method string, n int, what fault) *Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.scripts[method] = append(f.scripts[method], what)
	}
	return f
}

func (f *Faults) next(method string) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[method]++
	script := f.scripts[method]
	if len(script) == 0 {
		return fault{}
	}
	f.scripts[method] = script[1:]
	return script[0]
}

func (f *Faults) unary(
	ctx context.Context,
	req any,
	info *grpc.UnaryServerInfo,
	handler grpc.UnaryHandler,
) (any, error) {
	what := f.next(info.FullMethod)
	if what.meet != nil {
		if runs, err := what.meet(ctx); !runs {
			return nil, err
		}
	}
	reply, err := handler(ctx, req)
	if what.after != nil {
		return nil, what.after(ctx)
	}
	return reply, err
}

func (f *Faults) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	what := f.next(info.FullMethod)
	if what.meet != nil {
		if runs, err := what.meet(ss.Context()); !runs {
			return err
		}
	}
	err := handler(srv, ss)
	if what.after != nil {
		return what.after(ss.Context())
	}
	return err
}

// drop closes the connection that the call of ctx came over.
func drop(ctx context.Context) error {
	if p, ok := peer.FromContext(ctx); ok {
		if addr, ok := p.Addr.(clientAddr); ok {
			if err := addr.conn.Close(); err == nil {
				return status.Error(codes.Unavailable, "scripted fault: connection dropped")
			}
		}
	}
	return status.Error(codes.Internal, "scripted fault: Drop and Lose need a server made by Network.Server")
}
