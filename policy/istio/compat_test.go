package istio_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/interop/grpc_testing"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	"github.com/parley-rpc/parley/policy/istio"
)

type undecided struct {
	grpc_testing.UnimplementedTestServiceServer
}

// Where nothing decides about a method, the server does not start. The configuration takes Istio's default by name,
// which the log and the description show.
func TestCompat(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "mesh.yaml"), []byte(denyDev), 0o600); err != nil {
		t.Fatal(err)
	}
	for config, opens := range map[string]bool{"": false, "compat: istio\n": true} {
		file := filepath.Join(t.TempDir(), "payments.yaml")
		if err := os.WriteFile(file, []byte("policies_from: {istio: "+folder+"}\n"+config), 0o600); err != nil {
			t.Fatal(err)
		}
		var log, description bytes.Buffer
		n := frameworktest.NewNetwork(t)
		app := n.App("orders", framework.WithConfigFile(file), framework.WithPolicyFormat("istio", istio.For(orders())),
			framework.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		grpc_testing.RegisterTestServiceServer(n.Server(app), undecided{})
		err := app.Check()
		if opens != (err == nil) {
			t.Errorf("%q: %v", config, err)
		}
		if err := app.Describe(&description); err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{
			"methods on which nothing decides are open to every caller with a proven identity": log.String(),
			"compat: istio": description.String(), ", open where nothing decides": description.String(),
		} {
			if strings.Contains(text, what) != opens {
				t.Errorf("%q: it is said: %v, %q", config, !opens, what)
			}
		}
	}
}
