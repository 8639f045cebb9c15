package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"

	"github.com/parley-rpc/parley/internal/wire"
)

// A length that is out of bounds is refused before anything is made for it.
func TestLengthIsCheckedBeforeAllocation42And66(t *testing.T) {
	huge := []byte{byte(wire.FrameServerHello), 0xff, 0xff, 0xff}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, _, err := readServerHello(bytes.NewReader(huge)); err == nil {
			t.Fatal("16 MiB were taken")
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("100 refusals took %d bytes", grown)
	}
}

// Whatever comes as a frame, it is an error or a hello that is written the same way, and nothing is read beyond it.
func FuzzReadFrame(f *testing.F) {
	for _, seed := range [][]byte{
		nil,
		{1},
		{1, 0, 0},
		{1, 0, 0, 0},
		{1, 0xff, 0xff, 0xff},
		{2, 0, 0, 4, 0, 0, 0, 0},
		frameOf(byte(wire.FrameServerHello), helloBody("", "proof")),
		frameOf(byte(wire.FrameServerHello), helloBody("token", "proof")),
		append(frameOf(byte(wire.FrameServerHello), helloBody("", "proof")), "PRI * HTTP/2.0"...),
		frameOf(byte(wire.FrameServerHello), bytes.Repeat([]byte{0}, 8193)), frameOf(byte(wire.FrameVerdict), []byte{0}),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		r := bytes.NewReader(input)
		token, proof, err := readServerHello(r)
		if err != nil {
			truncated := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if truncated == errors.Is(err, wire.ErrFrame) {
				t.Errorf("the error is neither the peer's nor the connection's, or both: %v", err)
			}
			return
		}
		body, err := wire.AppendHello(nil, wire.Hello{Token: token, Proof: proof})
		if err != nil {
			t.Fatal(err)
		}
		if frame := frameOf(byte(wire.FrameServerHello), body); !bytes.Equal(frame, input[:len(input)-r.Len()]) {
			t.Errorf("read %q, which is written as %q", input, frame)
		}
	})
}

func FuzzParseHello(f *testing.F) {
	for _, seed := range [][]byte{
		nil,
		{0},
		{0, 0},
		{0, 0, 0, 0},
		{0xff, 0xff},
		helloBody("", "proof"), helloBody("token", ""),
		append(helloBody("", "p"), 0),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		hello, err := wire.ParseHello(input)
		if err != nil {
			if !errors.Is(err, wire.ErrFrame) {
				t.Errorf("not the peer's fault: %v", err)
			}
			return
		}
		if hello.Proof == "" {
			t.Error("no proof")
		}
		if body := helloBody(hello.Token, hello.Proof); !bytes.Equal(body, input) {
			t.Errorf("read %q, which is written as %q", input, body)
		}
	})
}

func readServerHello(r io.Reader) (token, proof string, err error) {
	body, err := wire.ReadFrame(r, wire.FrameServerHello)
	if err != nil {
		return "", "", err
	}
	hello, err := wire.ParseHello(body)
	return hello.Token, hello.Proof, err
}

// frameOf and helloBody write what a peer sends, apart from the code that is tested.
func frameOf(kind byte, body []byte) []byte {
	return append([]byte{kind, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
}

func helloBody(token, proof string) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(token)))
	b = append(b, token...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(proof)))
	return append(b, proof...)
}
