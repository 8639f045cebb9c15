package auth

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/rpcerr"
)

// leavingStream is a client's stream whose connection may come of age here first. The server then says nothing, so this
// end says that it was planned.
type leavingStream struct{ grpc.ClientStream }

func (s *leavingStream) RecvMsg(m any) error {
	if err := s.ClientStream.RecvMsg(m); err != nil {
		return plannedEnd(s.ClientStream, err)
	}
	return nil
}

// plannedEnd returns what a stream ends with whose connection was closed because its time was over.
func plannedEnd(stream grpc.ClientStream, err error) error {
	if status.Code(err) != codes.Unavailable || rpcerr.ReasonOf(err) != "" {
		return err
	}
	p, ok := peer.FromContext(stream.Context())
	if !ok {
		return err
	}
	if info, ok := p.AuthInfo.(*conn.Info); ok && info.Session.EndedAsPlanned() {
		return refuse(rpcerr.PlannedEnd, err)
	}
	return err
}
