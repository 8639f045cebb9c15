package auth

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// refuse returns the refusal for a reason. The cause stays in this process.
func refuse(reason rpcerr.Reason, cause error) *rpcerr.Error { return rpcerr.Refuse(reason, cause) }

// mismatch is the refusal of a server that is not among the expected ones, which it names: they are local
// configuration.
func mismatch(expected []principal.Pattern, cause error) *rpcerr.Error {
	refusal := refuse(rpcerr.ServerIdentityMismatch, cause)
	names := make([]string, len(expected))
	for i, p := range expected {
		names[i] = p.String()
	}
	refusal.Message = "the server did not prove to be " + strings.Join(names, " or ")
	return refusal
}

// handshakeError is what a handshake returns to gRPC when a peer was refused. It has no GRPCStatus method on purpose: a
// picker whose error has one ends calls that wait for ready, and those should outlive a refusal that a change of trust
// can mend. The interceptor gives other calls the status.
type handshakeError struct{ refusal *rpcerr.Error }

func (e *handshakeError) Error() string {
	return "parley: " + string(e.refusal.Reason) + ": " + e.refusal.Message
}

func (e *handshakeError) Is(target error) bool { return e.refusal.Is(target) }

// Temporary reports to gRPC whether it should connect again soon.
func (e *handshakeError) Temporary() bool { return e.refusal.Code != codes.Unauthenticated }

// refusalOf returns the refusal behind an error of a handshake, or nil when the connection just broke.
func refusalOf(err error) *rpcerr.Error {
	refusal, _ := errors.AsType[*rpcerr.Error](err)
	return refusal
}

var errWrongEnd = errors.New("auth: credentials of a client and of a server are not interchangeable; " +
	"use DialOptions for grpc.NewClient and ServerOptions for grpc.NewServer")

// broken reports whether err is the end of a connection, as opposed to something that the peer said, such as a TLS
// alert.
func broken(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return true
		}
	}
	op, ok := errors.AsType[*net.OpError](err)
	if !ok {
		return false
	}
	return op.Op != "remote error" && op.Op != "local error" // how crypto/tls reports alerts
}
