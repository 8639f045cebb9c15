package channelz

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"

	channelzpb "google.golang.org/grpc/channelz/grpc_channelz_v1"
)

// printer writes the channels and servers of the source. It skips those that end while it writes.
type printer struct {
	ctx    context.Context
	source channelzpb.ChannelzServer
	to     io.Writer
}

func (p *printer) line(depth int, format string, args ...any) {
	_, _ = fmt.Fprintf(p.to, strings.Repeat("  ", depth)+format+"\n", args...) // into memory
}

func (p *printer) channels() {
	reply, err := p.source.GetTopChannels(p.ctx, &channelzpb.GetTopChannelsRequest{MaxResults: maxListed})
	if err != nil || len(reply.GetChannel()) == 0 {
		p.line(0, "no channels")
		return
	}
	for _, c := range reply.GetChannel() {
		p.channel("channel", c.GetRef().GetChannelId(), c, 0)
	}
}

// node is the common interface of channels and subchannels.
type node interface {
	GetData() *channelzpb.ChannelData
	GetChannelRef() []*channelzpb.ChannelRef
	GetSubchannelRef() []*channelzpb.SubchannelRef
	GetSocketRef() []*channelzpb.SocketRef
}

func (p *printer) channel(kind string, id int64, n node, depth int) {
	d := n.GetData()
	p.line(depth, "%s %d  %s  %s  %s", kind, id, d.GetTarget(), d.GetState().GetState(), calls(d))
	for _, ref := range n.GetChannelRef() {
		if reply, err := p.source.GetChannel(
			p.ctx, &channelzpb.GetChannelRequest{ChannelId: ref.GetChannelId()},
		); err == nil {
			p.channel("channel", ref.GetChannelId(), reply.GetChannel(), depth+1)
		}
	}
	for _, ref := range n.GetSubchannelRef() {
		if reply, err := p.source.GetSubchannel(
			p.ctx, &channelzpb.GetSubchannelRequest{SubchannelId: ref.GetSubchannelId()},
		); err == nil {
			p.channel("subchannel", ref.GetSubchannelId(), reply.GetSubchannel(), depth+1)
		}
	}
	for _, ref := range n.GetSocketRef() {
		p.socket(ref.GetSocketId(), depth+1)
	}
}

func (p *printer) servers() {
	reply, err := p.source.GetServers(p.ctx, &channelzpb.GetServersRequest{MaxResults: maxListed})
	if err != nil || len(reply.GetServer()) == 0 {
		p.line(0, "no servers")
		return
	}
	for _, s := range reply.GetServer() {
		id := s.GetRef().GetServerId()
		p.line(0, "server %d  %s", id, calls(s.GetData()))
		for _, ref := range s.GetListenSocket() {
			p.socket(ref.GetSocketId(), 1)
		}
		sockets, err := p.source.GetServerSockets(
			p.ctx, &channelzpb.GetServerSocketsRequest{ServerId: id, MaxResults: maxListed},
		)
		if err != nil {
			continue
		}
		for _, ref := range sockets.GetSocketRef() {
			p.socket(ref.GetSocketId(), 1)
		}
	}
}

func (p *printer) socket(id int64, depth int) {
	reply, err := p.source.GetSocket(p.ctx, &channelzpb.GetSocketRequest{SocketId: id})
	if err != nil {
		return
	}
	s, d := reply.GetSocket(), reply.GetSocket().GetData()
	if s.GetRemote() == nil {
		p.line(depth, "socket %d  listening on %s", id, address(s.GetLocal()))
		return
	}
	p.line(depth, "socket %d  %s - %s  streams %d started, %d succeeded, %d failed  messages %d sent, "+
		"%d received", id, address(s.GetLocal()), address(s.GetRemote()),
		d.GetStreamsStarted(), d.GetStreamsSucceeded(), d.GetStreamsFailed(), d.GetMessagesSent(), d.GetMessagesReceived())
}

func calls(d interface {
	GetCallsStarted() int64
	GetCallsSucceeded() int64
	GetCallsFailed() int64
},
) string {
	return fmt.Sprintf(
		"calls %d started, %d succeeded, %d failed", d.GetCallsStarted(), d.GetCallsSucceeded(), d.GetCallsFailed(),
	)
}

func address(a *channelzpb.Address) string {
	if tcp := a.GetTcpipAddress(); tcp != nil {
		if ip, ok := netip.AddrFromSlice(tcp.GetIpAddress()); ok {
			return net.JoinHostPort(ip.Unmap().String(), strconv.Itoa(int(tcp.GetPort())))
		}
	}
	if other := a.GetOtherAddress(); other != nil {
		return other.GetName()
	}
	if uds := a.GetUdsAddress(); uds != nil {
		return uds.GetFilename()
	}
	return "unknown"
}
