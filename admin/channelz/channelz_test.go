package channelz_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/test/bufconn"

	"github.com/parley-rpc/parley/admin"
	"github.com/parley-rpc/parley/admin/channelz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPageShowsChannelsAndServers(t *testing.T) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health.NewServer())
	channelz.Register(server)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	cc, err := grpc.NewClient("passthrough:///payments", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cc.Close() }()
	if _, err := healthpb.NewHealthClient(cc).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}

	surface := admin.New(admin.Config{Mounts: []admin.Mount{channelz.Mount()}})
	defer surface.Close()
	reply := httptest.NewRecorder()
	surface.ServeHTTP(
		reply, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/debug/channelz/", nil),
	)
	text := reply.Body.String()
	for _, want := range []string{
		"channel ", "passthrough:///payments", "READY", "\n  subchannel ", "\n    socket ", "\nserver ", "calls 1 started",
		"listening on",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if _, served := server.GetServiceInfo()["grpc.channelz.v1.Channelz"]; !served {
		t.Error("the service is not registered")
	}

	reply = httptest.NewRecorder()
	surface.ServeHTTP(
		reply, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/debug/channelz/", nil),
	)
	if reply.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST answers %d, want %d", reply.Code, http.StatusMethodNotAllowed)
	}
}
