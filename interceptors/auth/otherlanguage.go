package auth

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// What a client is answered that speaks another language than the port, each once, in its own.
const (
	needsTLS   = "this port speaks TLS, and the client sent plaintext; connect with TLS"
	needsHTTP2 = "this port speaks gRPC over HTTP/2, and the client speaks HTTP/1.1"
)

// opening is a connection that keeps what its client sent at first, unless that looks like TLS.
type opening struct {
	net.Conn
	sent    []byte
	looked  bool
	keeping bool
}

// tlsHandshake is the first byte of a connection of TLS (RFC 8446, section 5.1).
const tlsHandshake = 22

func (o *opening) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	if n > 0 && !o.looked {
		o.looked, o.keeping = true, p[0] != tlsHandshake
	}
	if o.keeping {
		o.sent = append(o.sent, p[:n]...)
	}
	return n, err
}

// answer answers a client whose first bytes are no TLS: HTTP/1 with a response, gRPC with a status. Others, such as
// port scanners, get nothing. The connection is closed after it.
func (o *opening) answer() {
	if !o.keeping || o.SetDeadline(time.Now().Add(answerTimeout)) != nil {
		return
	}
	o.keeping = false
	switch {
	case bytes.HasPrefix(o.sent, []byte("PRI *")):
		_ = answerHTTP2(o.Conn, io.MultiReader(bytes.NewReader(o.sent), o.Conn), needsTLS) // the client may be gone
	case looksLikeHTTP1(string(o.sent)):
		answerHTTP1(o.Conn, "400 Bad Request", needsTLS)
	}
}

func looksLikeHTTP1(start string) bool {
	for _, method := range []string{"GET ", "HEAD ", "POST ", "PUT ", "OPTIONS ", "DELETE ", "PATCH ", "CONNECT "} {
		if strings.HasPrefix(start, method) {
			return true
		}
	}
	return false
}

// answerHTTP1 writes a response and reads on for a moment: a connection that is closed with something unread is reset,
// and the client may never see the response.
func answerHTTP1(conn net.Conn, status, text string) {
	_, err := fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"+
		"Content-Length: %d\r\n\r\n%s\n", status, len(text)+1, text)
	if err == nil {
		_, _ = io.CopyN(io.Discard, conn, answerMost)
	}
}

// Types and flags of HTTP/2 frames (RFC 9113, section 6).
const (
	frameHeaders    = 0x1
	frameSettings   = 0x4
	frameGoAway     = 0x7
	flagAck         = 0x1
	flagEndStream   = 0x1
	flagEndHeaders  = 0x4
	notSecureEnough = 0xc // INADEQUATE_SECURITY
)

// answerHTTP2 answers the first call on a connection of HTTP/2 without TLS with a status of gRPC. From is what the
// client sends, from its first byte.
func answerHTTP2(conn io.Writer, from io.Reader, text string) error {
	if _, err := conn.Write(frame(frameSettings, 0, 0, nil)); err != nil {
		return err
	}
	if _, err := io.CopyN(io.Discard, from, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return err
	}
	header := make([]byte, 9)
	for left := answerMost; left > 0; {
		if _, err := io.ReadFull(from, header); err != nil {
			return err
		}
		length := int64(header[0])<<16 | int64(header[1])<<8 | int64(header[2])
		left -= 9 + length
		if _, err := io.CopyN(io.Discard, from, length); err != nil {
			return err
		}
		switch header[3] {
		case frameSettings:
			if header[4]&flagAck == 0 {
				if _, err := conn.Write(frame(frameSettings, flagAck, 0, nil)); err != nil {
					return err
				}
			}
		case frameHeaders:
			stream := binary.BigEndian.Uint32(header[5:]) & (1<<31 - 1)
			goAway := binary.BigEndian.AppendUint32(nil, stream)
			goAway = binary.BigEndian.AppendUint32(goAway, notSecureEnough)
			_, err := conn.Write(append(frame(frameHeaders, flagEndStream|flagEndHeaders, stream, statusHeaders(text)),
				frame(frameGoAway, 0, 0, append(goAway, text...))...))
			if err == nil {
				_, err = io.CopyN(io.Discard, from, answerMost)
			}
			return err
		}
	}
	return nil
}

// frame returns a frame of HTTP/2 (RFC 9113, section 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	f := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags} //nolint:gosec // the length has 24 bits
	return append(binary.BigEndian.AppendUint32(f, stream), payload...)
}

// statusHeaders are the headers of a call that has only trailers, as literals that nobody indexes (RFC 7541, section
// 6.2.2). Names and values are shorter than 127 bytes.
func statusHeaders(text string) []byte {
	var block []byte
	for _, field := range [][2]string{
		{":status", "200"},
		{"content-type", "application/grpc"},
		{"grpc-status", fmt.Sprint(int(codes.FailedPrecondition))},
		{"grpc-message", text},
	} {
		block = append(block, 0, byte(len(field[0]))) //nolint:gosec // shorter than 127
		block = append(block, field[0]...)
		block = append(block, byte(len(field[1]))) //nolint:gosec // shorter than 127
		block = append(block, field[1]...)
	}
	return block
}
