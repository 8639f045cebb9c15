package auth

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
)

// broken tells whether err is the end of a connection, as opposed to something that the peer said, such as a TLS alert.
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
