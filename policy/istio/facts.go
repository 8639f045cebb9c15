package istio

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/internal/contextkey"
	"github.com/parley-rpc/parley/policy"
)

// httpMethod is that of every gRPC call.
const httpMethod = "POST"

// pathOf is what Envoy takes for the path of a method's name: the part before a query. No known method has one, but a
// server may take calls of unknown methods.
func pathOf(method string) string {
	if end := strings.IndexAny(method, "?#"); end >= 0 {
		return method[:end]
	}
	return method
}

// facts are what rules ask of one call. Addresses are looked up once, when the first rule asks.
type facts struct {
	call     *policy.Call
	metadata *contextkey.Metadata // by pointer, so that the call stays on the stack of the one who asks
	id       string               // of the caller, "" for one that has proven nothing
	denies   bool                 // whether the rules that are asked now deny

	looked        bool
	remote, local netip.AddrPort // invalid where the connection has none
}

func factsOf(call *policy.Call, metadata *contextkey.Metadata) facts {
	f := facts{call: call, metadata: metadata}
	if call.Peer != nil {
		f.id = call.Peer.ID.String()
	}
	return f
}

// knows reports whether the attribute of the call can be known. An address may not be: a connection may be one within
// the process, and an explanation has none.
func (f *facts) knows(ctx context.Context, of attribute) bool {
	switch of { //nolint:exhaustive // the others are known to be there or not
	case attributeSourceIP, attributeRemoteIP:
		f.look(ctx)
		return f.remote.IsValid()
	case attributeDestinationIP, attributePort:
		f.look(ctx)
		return f.local.IsValid()
	}
	return true
}

func (f *facts) look(ctx context.Context) {
	if f.looked {
		return
	}
	f.looked = true
	if p, ok := peer.FromContext(ctx); ok {
		f.remote, f.local = addressOf(p.Addr), addressOf(p.LocalAddr)
	}
}

func addressOf(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || tcp == nil {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

// headerMatches reports whether the call has the header and its value fits a pattern. A header that came several times
// has all of its values, with commas between them.
func (f *facts) headerMatches(ctx context.Context, name string, patterns []pattern) bool {
	switch name {
	case headerMethod:
		return anyMatches(patterns, httpMethod)
	case headerPath:
		return anyMatches(patterns, f.call.Method)
	}
	values := f.metadata.Received(ctx, name)
	switch len(values) {
	case 0:
		return false
	case 1:
		return anyMatches(patterns, values[0])
	default:
		return anyMatches(patterns, strings.Join(values, ","))
	}
}
