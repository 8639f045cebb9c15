package auth_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// relay ends TLS on both sides and passes everything on. It keeps what it reads from the client.
type relay struct {
	server    *server
	toClient  *tls.Config
	upstream  []string // what it offers to the server
	mu        sync.Mutex
	plaintext []byte
}

func (r *relay) dial(ctx context.Context, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		client := tls.Server(far, r.toClient)
		defer func() { _ = far.Close() }()
		if client.HandshakeContext(ctx) != nil {
			return
		}
		raw, err := r.server.lis.DialContext(ctx)
		if err != nil {
			return
		}
		defer func() { _ = raw.Close() }()
		upstream := tls.Client(raw, evilClientConfig(r.upstream...))
		go func() {
			_, _ = io.Copy(client, upstream)
			_ = far.Close()
		}()
		_, _ = io.Copy(upstream, io.TeeReader(client, r))
	}()
	return near, nil
}

// Write keeps what the client sent.
func (r *relay) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plaintext = append(r.plaintext, b...)
	return len(b), nil
}

// A relay without the server's TLS name gets nothing of a request, in either mode that could fall back on that name.
func TestAttack65RelayInTokenMode(t *testing.T) {
	for name, test := range map[string]struct {
		mode  auth.Mode
		alpn  string
		other bool // whether the relay has a certificate that the client trusts, for another name
		want  rpcerr.Reason
	}{
		"token":                         {auth.ModeToken, "h2", false, rpcerr.ServerProofInvalid},
		"token, trusted, another name":  {auth.ModeToken, "h2", true, rpcerr.ServerProofInvalid},
		"token, parley/1 instead":       {auth.ModeToken, "parley/1", true, rpcerr.ServerProofMissing},
		"prefer, parley/1 stripped":     {auth.ModePrefer, "h2", false, rpcerr.ServerProofInvalid},
		"prefer, stripped, other name":  {auth.ModePrefer, "h2", true, rpcerr.ServerProofInvalid},
		"prefer, parley/1 relayed":      {auth.ModePrefer, "parley/1", false, rpcerr.ServerProofInvalid},
		"prefer, nothing agreed":        {auth.ModePrefer, "", false, rpcerr.ServerProofMissing},
		"require, parley/1 stripped":    {auth.ModeRequire, "h2", true, rpcerr.ServerProofMissing},
		"prefer, other parley relayed":  {auth.ModePrefer, "parley/2", true, rpcerr.ServerProofMissing},
		"token, another version of h2c": {auth.ModeToken, "h2c", true, rpcerr.ServerProofMissing},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, payments{})
				r := &relay{server: w.server, toClient: evilServerConfig(t), upstream: []string{test.alpn}}
				if test.alpn != "" {
					r.toClient.NextProtos = []string{test.alpn}
				}
				name := "localhost"
				if test.other {
					roots, certificate := w.certificate()
					w.roots = roots
					r.toClient.Certificates, r.toClient.GetCertificate = nil, certificate
					name = "payments.example"
				}
				var opts []auth.ChannelOption
				if test.mode != auth.ModeRequire {
					opts = []auth.ChannelOption{auth.WithMode(test.mode), auth.WithRoots(w.roots), auth.WithServerName(name)}
				}
				channel := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}, opts...)
				cc := dial(t, r.dial, channel.DialOptions()...)
				refused(t, "unary", quote(t.Context(), cc), codes.Unauthenticated, test.want)
				_, err := watch(t.Context(), cc)
				refused(t, "stream", err, codes.Unauthenticated, test.want)
				r.mu.Lock()
				defer r.mu.Unlock()
				if len(r.plaintext) != 0 {
					t.Errorf("the relay got %d bytes: %q", len(r.plaintext), r.plaintext)
				}
			})
		})
	}
}

// A proxy that ends TLS under the server's own name is what token mode is for: it passes calls and proofs on, and whose
// name the client verified protects the request from everybody else.
func TestProxyWithTheServersName(t *testing.T) {
	for name, mode := range map[string]auth.Mode{"token": auth.ModeToken, "prefer": auth.ModePrefer} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTokenWorld(t, payments{})
				r := &relay{server: w.server, toClient: evilServerConfig(t, "h2"), upstream: []string{"h2"}}
				roots, certificate := w.certificate()
				w.roots = roots
				r.toClient.Certificates, r.toClient.GetCertificate = nil, certificate
				channel := w.identity("orders").Channel([]principal.Pattern{w.id("payments")}, auth.WithMode(mode), auth.WithRoots(roots), auth.WithServerName("localhost"))
				cc := dial(t, r.dial, channel.DialOptions()...)
				if err := quote(t.Context(), cc); err != nil {
					t.Errorf("unary: %v", err)
				}
				if _, err := watch(t.Context(), cc); err != nil {
					t.Errorf("stream: %v", err)
				}
			})
		})
	}
}
