package xds_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/discovery/xds"
)

func TestCheck(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bootstrap.json")
	if err := os.WriteFile(bad, []byte(`{"xds_servers": [],}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, text, want, shown string }{
		"a bootstrap": {
			"", `{"xds_servers": [{"server_uri": "xds:443"}]}`, "", "xds (GRPC_XDS_BOOTSTRAP_CONFIG)",
		},
		"no bootstrap": {"", "", "the environment has no bootstrap", "xds (no bootstrap)"},
		"a file that is missing": {
			bad + "x", `{"xds_servers": [{}]}`, "xds: GRPC_XDS_BOOTSTRAP: open " + bad + "x",
			"xds (GRPC_XDS_BOOTSTRAP=" + bad + "x)",
		},
		"a file that is not JSON": {bad, "", "xds: " + bad + ": invalid character", "xds (GRPC_XDS_BOOTSTRAP=" + bad + ")"},
		"no control plane in it": {
			"", `{"node": {}}`, "xds: GRPC_XDS_BOOTSTRAP_CONFIG: xds_servers is missing or empty",
			"xds (GRPC_XDS_BOOTSTRAP_CONFIG)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GRPC_XDS_BOOTSTRAP", tt.file)
			t.Setenv("GRPC_XDS_BOOTSTRAP_CONFIG", tt.text)
			if got := xds.New().String(); got != tt.shown {
				t.Errorf("it is shown as %q, want %q", got, tt.shown)
			}
			err := xds.New().Check()
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
			if errors.Is(err, xds.ErrNoBootstrap) != (name == "no bootstrap") {
				t.Errorf("ErrNoBootstrap matches %v", err)
			}
		})
	}
}

func TestCredentialsNeedAFallback(t *testing.T) {
	if _, err := xds.New().ClientCredentials(nil); err == nil {
		t.Error("credentials of a client fall back to nothing")
	}
	if _, err := xds.New().ServerCredentials(nil); err == nil {
		t.Error("credentials of a server fall back to nothing")
	}
}
