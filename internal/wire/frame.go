package wire

import (
	"errors"
	"fmt"
	"io"
)

// frameType tells the three frames of a handshake apart.
type frameType byte

// The frames, in their order.
const (
	FrameServerHello frameType = 1
	FrameClientHello frameType = 2
	FrameVerdict     frameType = 3
)

const frameHeaderLength = 4

// ErrFrame is matched by every error that says the peer sent something other than the frame that was due, as opposed to
// an error of the connection.
var ErrFrame = errors.New("not the frame that was due")

// ReadFrame reads one frame of the wanted type and returns its body. Nothing is allocated for a body before its length
// was found to be within bounds.
func ReadFrame(r io.Reader, want frameType) ([]byte, error) {
	var header [frameHeaderLength]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	if got := frameType(header[0]); got != want {
		return nil, fmt.Errorf("%w: type %d instead of %d", ErrFrame, got, want)
	}
	length := int(header[1])<<16 | int(header[2])<<8 | int(header[3])
	if length > maxFrameBody {
		return nil, fmt.Errorf("%w: a body of %d bytes, at most %d are allowed", ErrFrame, length, maxFrameBody)
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return body, nil
}

// WriteFrame writes one frame in a single Write, so that it leaves as one TLS record.
func WriteFrame(w io.Writer, kind frameType, body []byte) error {
	if len(body) > maxFrameBody {
		return fmt.Errorf("auth: a handshake frame of %d bytes, at most %d are allowed", len(body), maxFrameBody)
	}
	frame := make([]byte, 0, frameHeaderLength+len(body))
	n := uint32(len(body))                                              //nolint:gosec // checked above
	frame = append(frame, byte(kind), byte(n>>16), byte(n>>8), byte(n)) //nolint:gosec // the length has 24 bits
	_, err := w.Write(append(frame, body...))
	return err
}
