// Package channelz shows gRPC's own bookkeeping of channels, servers and sockets on the admin surface.
//
// Importing it switches that bookkeeping on for the whole process, for good: every call then counts a little more. That
// is why it is a package of its own, which nothing of Parley imports.
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
	// maxListed is how many channels, servers, or sockets of a server the page lists.
	maxListed = 1000
)

// Mount is the page as a part of the admin surface.
func Mount() admin.Mount {
	return admin.Mount{Title: "Channels, servers, sockets", Path: path, Handler: Handler()}
}

// Handler writes all channels and servers of the process as indented text: their state, their calls, and the sockets
// below them. It answers GET and HEAD.
func Handler() http.Handler {
	source := new(catcher)
	service.RegisterChannelzServiceToServer(source)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This page can only be read.", http.StatusMethodNotAllowed)
			return
		}
		var text bytes.Buffer
		p := printer{ctx: r.Context(), source: source.server, to: &text}
		p.channels()
		p.servers()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write(text.Bytes()) // who asked has gone
	})
}

// Register adds the channelz service to a gRPC server, for tools that speak it, such as grpcdebug. It answers anyone whom
// the server's interceptors let through.
func Register(s grpc.ServiceRegistrar) { service.RegisterChannelzServiceToServer(s) }

// catcher takes the service that gRPC offers only to servers.
type catcher struct{ server channelzpb.ChannelzServer }

func (c *catcher) RegisterService(_ *grpc.ServiceDesc, impl any) {
	c.server, _ = impl.(channelzpb.ChannelzServer)
}
