package auth

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// hello is the body of a hello frame, taken apart. Nothing in it is proven.
type hello struct {
	token string // workload identity token; empty when trust rests on a directory
	proof string
}

// parseHello takes the body of a hello frame apart. Its errors match errFrame.
func parseHello(body []byte) (hello, error) {
	token, rest, err := cutField(body)
	if err != nil {
		return hello{}, fmt.Errorf("identity token: %w", err)
	}
	proof, rest, err := cutField(rest)
	switch {
	case err != nil:
		return hello{}, fmt.Errorf("proof: %w", err)
	case len(proof) == 0:
		return hello{}, fmt.Errorf("%w: the proof is empty", errFrame)
	case len(rest) != 0:
		return hello{}, fmt.Errorf("%w: bytes after the proof", errFrame)
	}
	return hello{token: string(token), proof: string(proof)}, nil
}

// appendHello builds the body of a hello frame.
func appendHello(body []byte, h hello) ([]byte, error) {
	for _, field := range []string{h.token, h.proof} {
		if len(field) > 1<<16-1 {
			return nil, errors.New("auth: a field of a handshake frame is longer than 65535 bytes")
		}
		body = binary.BigEndian.AppendUint16(body, uint16(len(field))) //nolint:gosec // the length was checked above
		body = append(body, field...)
	}
	return body, nil
}

// cutField cuts a field with its length in front off the beginning of b.
func cutField(b []byte) (field, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, fmt.Errorf("%w: the length is cut off", errFrame)
	}
	length := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if length > len(b) {
		return nil, nil, fmt.Errorf("%w: the field is cut off", errFrame)
	}
	return b[:length], b[length:], nil
}
