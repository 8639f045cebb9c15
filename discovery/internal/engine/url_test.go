package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/discovery/internal/engine"
)

func TestURLs(t *testing.T) {
	dir := t.TempDir()
	empty, secret := filepath.Join(dir, "empty"), filepath.Join(dir, "secret")
	for path, text := range map[string]string{empty: "\n", secret: "hush\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ url, mistake string }{
		{"x://10.0.0.1:1/path?token_file=" + secret, ""},
		{"x://10.0.0.1:1?tls=system", ""},
		{"x:", "want x://host:port"},
		{"y://10.0.0.1:1", "want x://host:port"},
		{"x://10.0.0.1:1#a", "want x://host:port"},
		{"x://me:hush@10.0.0.1:1", "name a file instead"},
		{"x://me:hush@10.0.0.1:port", "the URL cannot be read"},
		{"x://10.0.0.1:1?%zz=hush", "after the question mark"},
		{"x://10.0.0.1:1?token=hush", `parameter "token": want each of ca, tls, cert, key, token_file`},
		{"x://10.0.0.1:1?tls=system&tls=system", `parameter "tls"`},
		{"x://10.0.0.1:1?token_file=" + dir + "/none", "token_file: open "},
		{"x://10.0.0.1:1?token_file=" + empty, "is empty"},
		{"x://10.0.0.1:1?tls=no", "want tls=system, or ca"},
		{"x://10.0.0.1:1?cert=a", "want cert and key together"},
		{"x://10.0.0.1:1?cert=a&key=b", "does not name the trusted certificates"},
		{"x://10.0.0.1:1?tls=system&cert=a&key=b", "cert: open a"},
		{"x://10.0.0.1:1?ca=" + dir + "/none", "ca: open "},
		{"x://10.0.0.1:1?ca=" + secret, "has no certificate in PEM"},
	} {
		u, err := engine.ParseURL("x", tt.url, "token_file")
		if err == nil {
			_, err = u.TLS()
		}
		if err == nil {
			var got string
			got, err = u.Secret("token_file")
			if err == nil && u.Get("token_file") != "" && got != "hush" {
				t.Errorf("the secret is %q", got)
			}
		}
		if tt.mistake == "" && err != nil || tt.mistake != "" && (err == nil || !strings.Contains(err.Error(), tt.mistake)) {
			t.Errorf("%s: %v; want %q", tt.url, err, tt.mistake)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%v shows a secret", err)
		}
	}
}
