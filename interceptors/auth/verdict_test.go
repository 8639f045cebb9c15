package auth_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/rpcerr"
)

func TestHonestServerWithinSkew29(t *testing.T) {
	for name, change := range map[string]claims{
		"exact":          nil,
		"behind by 29 s": {"iat": in(-59 * time.Second), "exp": in(-29 * time.Second)},
		"ahead by 30 s":  {"iat": in(30 * time.Second), "exp": in(60 * time.Second)},
		"60 s long":      {"exp": in(60 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("payments")
				loot, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
					_, _ = s.conn.Write(s.hello("payments", change))
					_, _, _ = readFrame(s.conn)
					_, _ = s.conn.Write(frameOf(verdictFrame, []byte{0}))
				})
				if err != nil || len(loot) != 0 {
					t.Errorf("error %v, %d bytes beyond the handshake", err, len(loot))
				}
			})
		})
	}
}

func TestVerdicts(t *testing.T) {
	for name, verdict := range map[string]struct {
		send []byte
		want rpcerr.Reason
	}{
		"1 bad proof":              {frameOf(verdictFrame, []byte{1}), rpcerr.CredentialsInvalid},
		"2 expired":                {frameOf(verdictFrame, []byte{2}), rpcerr.CredentialsExpired},
		"3 not yet valid":          {frameOf(verdictFrame, []byte{3}), rpcerr.CredentialsNotYetValid},
		"4 no keys":                {frameOf(verdictFrame, []byte{4}), rpcerr.KeysUnavailable},
		"5 overloaded":             {frameOf(verdictFrame, []byte{5}), rpcerr.AuthOverloaded},
		"6 unknown":                {frameOf(verdictFrame, []byte{6}), rpcerr.CredentialsInvalid},
		"255 unknown":              {frameOf(verdictFrame, []byte{255}), rpcerr.CredentialsInvalid},
		"of two bytes":             {frameOf(verdictFrame, []byte{0, 0}), rpcerr.CredentialsInvalid},
		"of no bytes":              {frameOf(verdictFrame, nil), rpcerr.CredentialsInvalid},
		"in the frame of a hello":  {frameOf(serverHello, []byte{0}), rpcerr.CredentialsInvalid},
		"with an endless frame":    {[]byte{verdictFrame, 0xff, 0xff, 0xff}, rpcerr.CredentialsInvalid},
		"left out before HTTP/2":   {[]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}, rpcerr.CredentialsInvalid},
		"with text for the status": {frameOf(verdictFrame, []byte("please retry")), rpcerr.CredentialsInvalid},
		"left out":                 {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("payments")
				loot, err := w.deceive(w.identity("orders"), evilServerConfig(t, alpn), func(s evilServer) {
					_, _ = s.conn.Write(s.hello("payments", nil))
					_, _, _ = readFrame(s.conn)
					_, _ = s.conn.Write(verdict.send)
					if verdict.send == nil {
						_ = s.conn.Close()
					}
				})
				if err == nil || verdict.want != "" && !errors.Is(err, verdict.want) {
					t.Errorf("the client says %v, want %s", err, verdict.want)
				}
				if strings.Contains(err.Error(), "please") {
					t.Errorf("the server's text is in the error: %v", err)
				}
				if len(loot) != 0 {
					t.Errorf("%d bytes of a request left before a welcome", len(loot))
				}
			})
		})
	}
}
