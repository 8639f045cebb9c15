package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Hello is the body of a hello frame, taken apart. Nothing in it is proven.
type Hello struct {
	Token string // workload identity token; empty when trust rests on a directory
	Proof string
}

// ParseHello takes the body of a hello frame apart. Its errors match ErrFrame.
func ParseHello(body []byte) (Hello, error) {
	token, rest, err := cutField(body)
	if err != nil {
		return Hello{}, fmt.Errorf("identity token: %w", err)
	}
	proof, rest, err := cutField(rest)
	switch {
	case err != nil:
		return Hello{}, fmt.Errorf("proof: %w", err)
	case len(proof) == 0:
		return Hello{}, fmt.Errorf("%w: the proof is empty", ErrFrame)
	case len(rest) != 0:
		return Hello{}, fmt.Errorf("%w: bytes after the proof", ErrFrame)
	}
	return Hello{Token: string(token), Proof: string(proof)}, nil
}

// AppendHello builds the body of a hello frame.
func AppendHello(body []byte, h Hello) ([]byte, error) {
	for _, field := range []string{h.Token, h.Proof} {
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
		return nil, nil, fmt.Errorf("%w: the length is cut off", ErrFrame)
	}
	length := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if length > len(b) {
		return nil, nil, fmt.Errorf("%w: the field is cut off", ErrFrame)
	}
	return b[:length], b[length:], nil
}
