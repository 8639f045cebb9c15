package framework_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// As grpcurl -plaintext does.
func TestAPlaintextCallIsAnsweredWithAStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := frameworktest.NewNetwork(t)
		app := n.App("payments")
		server := n.Server(app)
		paymentsv1.RegisterPaymentsServiceServer(server, &bank{})
		n.Run(app)
		cc, err := grpc.NewClient("passthrough:///"+server.Addr().String(),
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(n.Dial))
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		_, err = healthv1.NewHealthClient(cc).Check(t.Context(), &healthv1.HealthCheckRequest{})
		if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "this port speaks TLS") {
			t.Errorf("Check = %v, want FAILED_PRECONDITION that names TLS", err)
		}
		if took := time.Since(started); took != 0 {
			t.Errorf("the answer took %v", took)
		}
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
	})
}

// As curl http:// does, and a load balancer that looks whether anything listens.
func TestAnHTTP1RequestIsAnsweredInHTTP1(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tls  bool
		want int
		text string
	}{
		"plaintext": {false, http.StatusBadRequest, "this port speaks TLS"},
		"over TLS":  {true, http.StatusHTTPVersionNotSupported, "gRPC over HTTP/2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := frameworktest.NewNetwork(t)
				cert, key := certificateFor(t)
				app := n.App("payments", framework.WithConfigFile(writeFile(t,
					fmt.Sprintf("servers: {payments: {carriers: [token], tls: {cert: %q, key: %q}}}\n", cert, key))))
				server := n.Server(app)
				paymentsv1.RegisterPaymentsServiceServer(server, &bank{})
				n.Run(app)
				conn, err := n.Dial(t.Context(), server.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if test.tls {
					secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
					if err := secure.HandshakeContext(t.Context()); err != nil {
						t.Fatal(err)
					}
					if names := secure.ConnectionState().PeerCertificates[0].DNSNames; len(names) != 1 || names[0] != "localhost" {
						t.Errorf("the certificate is of %v, not the configured one", names)
					}
					conn = secure
				}
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: payments\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				defer reply.Body.Close()
				text, err := io.ReadAll(reply.Body)
				if err != nil || reply.StatusCode != test.want || !strings.Contains(string(text), test.text) {
					t.Errorf("%s: %q (%v), want %d and %q", reply.Status, text, err, test.want, test.text)
				}
				if err := conn.Close(); err != nil && !test.tls {
					t.Error(err)
				}
			})
		})
	}
}
