package protoyaml_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/internal/protoyaml"
)

func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		full, "", "---", "a: &a [*a]", "identity: {<<: *x}", "? a\n: b", "identity: !!map {}", "clients: {a: {}, a: {}}",
		"lifecycle: {grace: 1h2m3s}", "identity: {trust_dir: |\n  x\n}", "- [", "{a: {b: [c", "identity: \"\\x00\\ud800\"", "a: b\n---\nc: d\n...",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		config := new(configv1.Config)
		places, err := protoyaml.Unmarshal("f", data, config)
		if err != nil {
			if !proto.Equal(config, new(configv1.Config)) {
				t.Errorf("a mistake left %v", config)
			}
			return
		}
		if _, err := proto.Marshal(config); err != nil {
			t.Errorf("what was read is no message: %v", err)
		}
		if !utf8.Valid(data) {
			t.Error("what is not UTF-8 was taken")
		}
		for path, place := range places.All() {
			if !strings.HasPrefix(place, "f:") || path == "" {
				t.Errorf("%q stands at %q", path, place)
			}
		}
	})
}

func FuzzApplyEnv(f *testing.F) {
	f.Add("IDENTITY_TRUST_DIR", "/etc/parley")
	f.Add("CLIENTS_MAIL_OUT_V1_PEERS", "a,b")
	f.Add("CLIENTS__", ",")
	f.Fuzz(func(t *testing.T, name, value string) {
		config := twoClients()
		if _, err := protoyaml.ApplyEnv("PARLEY", []string{"PARLEY_" + name + "=" + value}, config); err != nil {
			if !proto.Equal(config, twoClients()) {
				t.Errorf("a mistake left %v", config)
			}
			return
		}
		if _, err := proto.Marshal(config); err != nil {
			t.Errorf("what was read is no message: %v", err)
		}
	})
}
