// Package channelz shows gRPC's own bookkeeping of channels, servers and sockets on the admin surface.
//
// Importing this package enables the bookkeeping for the whole process, which adds a small cost to every call. It
// cannot be disabled again. No other package of Parley imports this package.
//
//	admin.New(admin.Config{Mounts: []admin.Mount{channelz.Mount()}})
package channelz

import (
	"bytes"
	"net/http"

	"google.golang.org/grpc"
	channelzpb "google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/channelz/service"

	"github.com/parley-rpc/parley/admin"
)

const (
	// path is where the admin surface serves the page.
	path = "/debug/channelz/"
	// maxListed is the maximum number of channels, of servers, and of sockets of a server on the page.
	maxListed = 1000
)

// Mount returns the page as a part of the admin surface.
func Mount() admin.Mount {
	return admin.Mount{Title: "Channels, servers, sockets", Path: path, Handler: Handler()}
}

// Handler returns a handler that writes all channels and servers of the process as indented text: their state, their
// calls, and their sockets. It answers GET and HEAD.
func Handler() http.Handler {
	source := new(catcher)
	service.RegisterChannelzServiceToServer(source)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This page is read-only; use GET or HEAD.", http.StatusMethodNotAllowed)
			return
		}
		var text bytes.Buffer
		p := printer{ctx: r.Context(), source: source.server, to: &text}
		p.channels()
		p.servers()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(text.Bytes()) // an error means that the client is gone
	})
}

// Register adds the channelz service to a gRPC server, for tools such as grpcdebug. It answers every caller that passes
// the server's interceptors.
func Register(s grpc.ServiceRegistrar) { service.RegisterChannelzServiceToServer(s) }

// catcher catches the channelz service, which gRPC registers only with a server.
type catcher struct{ server channelzpb.ChannelzServer }

func (c *catcher) RegisterService(_ *grpc.ServiceDesc, impl any) {
	c.server, _ = impl.(channelzpb.ChannelzServer)
}
