package trustdir_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{
		"orders":         "orders.T.json",
		"ns/pay/sa/api":  "ns__pay__sa__api.T.json",
		"card_reader":    "card_-reader.T.json",
		"a__b":           "a_-_-b.T.json",
		"a/_b":           "a___-b.T.json",
		"a_/b":           "a_-__b.T.json",
		"a_-b":           "a_--b.T.json",
		"v1.orders":      "v1.orders.T.json",
		"v1.orders.json": "v1.orders.json.T.json",
	} {
		if got := trustdir.FileName(name, "T"); got != want {
			t.Errorf("%s is in %s, want %s", name, got, want)
		}
	}
}

func TestSplitID(t *testing.T) {
	domain, name, err := trustdir.SplitID("spiffe://shop.example/ns/pay")
	if err != nil || domain != "shop.example" || name != "ns/pay" {
		t.Errorf("got %q, %q, %v", domain, name, err)
	}
	for _, id := range []string{
		"", "orders", "spiffe://", "spiffe:///orders", "spiffe://shop", "spiffe://shop/", "spiffe://shop//a", "spiffe://shop/a/", "https://shop/a",
		"spiffe://../a", "spiffe://./a", "spiffe://.hidden/a", "spiffe://shop/..", "spiffe://shop/a/../b", "spiffe://shop/.", "spiffe://shop/a\\b",
		"spiffe://shop/a\x00", "spiffe://shop/a b", "spiffe://sh op/a", "spiffe://shop/é", "spiffe://shop/a%2fb", "spiffe://shop/...",
	} {
		if domain, name, err := trustdir.SplitID(id); err == nil {
			t.Errorf("%q is %q and %q", id, domain, name)
		}
	}
}

// FuzzFileName asks that a name can be read back from its file name, so that no two names share one.
func FuzzFileName(f *testing.F) {
	for _, seed := range []string{"a", "a/b", "a_b", "a__b", "a_/-b", "_/_", "-_-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if _, _, err := trustdir.SplitID("spiffe://d/" + name); err != nil {
			return
		}
		file := trustdir.FileName(name, "T")
		encoded, ok := strings.CutSuffix(file, ".T.json")
		if !ok || strings.ContainsAny(file, "/\\\x00") || file[:1] == "." && name[:1] != "." {
			t.Fatalf("%q is in %q", name, file)
		}
		var back strings.Builder
		for i := 0; i < len(encoded); i++ {
			switch {
			case encoded[i] != '_':
				back.WriteByte(encoded[i])
				continue
			case encoded[i+1] == '_':
				back.WriteByte('/')
			default:
				back.WriteByte('_')
			}
			i++
		}
		if back.String() != name {
			t.Fatalf("%q is in %q, which reads as %q", name, file, back.String())
		}
	})
}
