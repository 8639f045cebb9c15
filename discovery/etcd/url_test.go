package etcd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/discovery/etcd"
)

func TestURLs(t *testing.T) {
	dir := t.TempDir()
	password, ca := filepath.Join(dir, "password"), filepath.Join(dir, "ca.pem")
	for path, text := range map[string]string{password: "secret\n", ca: "no certificate"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ url, name, mistake string }{
		{"etcd://10.0.0.1:2379", "etcd at 10.0.0.1:2379", ""},
		{"etcd://10.0.0.1:2379,etcd.example.com:2379/shop/discovery", "etcd at 10.0.0.1:2379,etcd.example.com:2379", ""},
		{"etcd://[2001:db8::1]:2379", "etcd at [2001:db8::1]:2379", ""},
		{"etcd://10.0.0.1:2379?user=orders&password_file=" + password, "etcd at 10.0.0.1:2379", ""},
		{"etcd://10.0.0.1:2379?tls=system", "etcd at 10.0.0.1:2379", ""},
		{"etcd://10.0.0.1", "", `member "10.0.0.1": want host:port`},
		{"etcd:", "", "want etcd://host:port"},
		{"http://10.0.0.1:2379", "", "want etcd://host:port"},
		{"etcd://orders:secret@10.0.0.1:2379", "", "name a file instead"},
		{"etcd://orders:secret@10.0.0.1:x", "", "the URL cannot be read"},
		{"etcd://10.0.0.1:2379?user=orders", "", "want user and password_file together"},
		{"etcd://10.0.0.1:2379?user=orders&password_file=" + dir + "/none", "", "password_file: open "},
		{"etcd://10.0.0.1:2379?usr=orders", "", `parameter "usr"`},
		{"etcd://10.0.0.1:2379?tls=no", "", "want tls=system, or ca"},
		{"etcd://10.0.0.1:2379?cert=a", "", "want cert and key together"},
		{"etcd://10.0.0.1:2379?cert=a&key=b", "", "does not name the trusted certificates"},
		{"etcd://10.0.0.1:2379?tls=system&cert=a&key=b", "", "cert: open a"},
		{"etcd://10.0.0.1:2379?ca=" + ca, "", "has no certificate in PEM"},
	} {
		d, err := etcd.Open(tt.url)
		switch {
		case tt.mistake == "" && (err != nil || d.String() != tt.name):
			t.Errorf("%s: %v, %v; want %s", tt.url, d, err, tt.name)
		case tt.mistake != "" && (err == nil || !strings.Contains(err.Error(), tt.mistake)):
			t.Errorf("%s: %v; want it to say %q", tt.url, err, tt.mistake)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%v shows a password", err)
		}
	}
}
