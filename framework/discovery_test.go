package framework_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/mem"
	"github.com/parley-rpc/parley/framework"
)

// What discovery.driver may say, and what is said of what it may not.
func TestDriversByURL(t *testing.T) {
	t.Parallel()
	engine := framework.WithEngine("mem", func(url string) (driver.Driver, error) {
		if url != "mem://here" {
			return nil, errors.New("want mem://here")
		}
		return mem.New().Driver(), nil
	})
	for _, tt := range []struct{ url, want string }{
		{"file:" + t.TempDir(), ""},
		{"file:run/parley", "discovery.driver: \"file:run/parley\": want file:<absolute path>"},
		{"dns:{service}.example.com:8443", ""},
		{"mem://here", ""},
		{"mem://there", "discovery.driver: want mem://here"},
		{
			"etcd://10.0.0.1:2379",
			`discovery.driver: this program has no driver for the scheme "etcd"; it has dns:, file:, mem:, static:, ` +
				`and WithEngine adds others`,
		},
	} {
		t.Run(tt.url, func(t *testing.T) {
			t.Parallel()
			dir, keyFile := state(t)
			config := fmt.Sprintf(
				"identity: {trust_domain: shop.example, trust_dir: %q, key_file: %q}\ndiscovery: {driver: %q}\n",
				dir,
				keyFile,
				tt.url,
			)
			err := newPayments(t, framework.WithConfigFile(writeFile(t, config)), engine).Check()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Check: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Check: %v; want it to say %s", err, tt.want)
			}
		})
	}
}
