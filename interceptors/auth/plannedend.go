package auth

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/rpcerr"
)

// plannedEndStream is a client's stream whose connection may reach its end at this end first. The server then sends no
// status, so this end reports the planned end.
type plannedEndStream struct{ grpc.ClientStream }

func (s *plannedEndStream) RecvMsg(m any) error {
	if err := s.ClientStream.RecvMsg(m); err != nil {
		return plannedEnd(s.ClientStream, err)
	}
	return nil
}

// plannedEnd returns the error of a stream: PLANNED_END in the place of UNAVAILABLE when the lifetime of its connection
// was over, and err otherwise.
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
