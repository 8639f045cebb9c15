package trustdir_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestEntryMustAgreeWithItself(t *testing.T) {
	key, other := newKey(t), newKey(t)
	good := textOf(t, orders, key)
	name := filepath.Base(fileOf(t, orders, key))
	jwk := good[strings.Index(good, `"jwk":`):]
	for _, c := range []struct {
		what, domain, name, text, problem string
	}{
		{"good", "shop", name, good, ""},
		{"white space", "shop", name, " " + strings.ReplaceAll(good, ":{", " : {\n") + "\n", ""},
		{"other folder", "other", name, good, "belongs in folder shop"},
		{"other name", "shop", "payments." + key.Thumbprint() + ".json", good, "must be called " + name},
		{"other thumbprint", "shop", "orders." + other.Thumbprint() + ".json", good, "must be called " + name},
		{"other ID", "shop", name, textOf(t, payments, key), "must be called payments."},
		{"other key", "shop", name, textOf(t, orders, other), "must be called orders." + other.Thumbprint()},
		{"invalid ID", "shop", "forbidden." + key.Thumbprint() + ".json", textOf(t, "spiffe://shop/forbidden", key), "not a valid ID"},
		{"ID that is a path", "shop", name, `{"id":"spiffe://shop/../orders",` + jwk, "segment"},
		{"ID in another case", "shop", name, textOf(t, "spiffe://shop/Orders", key), "must be called Orders"},
		{"no ID", "shop", name, `{` + jwk, "members"},
		{"ID no string", "shop", name, `{"id":1,` + jwk, "members"},
		{"no key", "shop", name, `{"id":"` + orders + `"}`, "members"},
		{"more members", "shop", name, strings.Replace(good, `{"id"`, `{"note":"x","id"`, 1), "members"},
		{"two IDs", "shop", name, strings.Replace(good, `{"id"`, `{"id":"`+payments+`","id"`, 1), "duplicate"},
		{"two IDs by case", "shop", name, strings.Replace(good, `{"id"`, `{"ID":"`+payments+`","id"`, 1), "duplicate"},
		{"private key", "shop", name, strings.Replace(good, `"jwk":{`, `"jwk":{"d":"AA",`, 1), "secret"},
		{"shared secret", "shop", name, `{"id":"` + orders + `","jwk":{"kty":"oct","k":"AA"}}`, "secret"},
		{"RSA key", "shop", name, `{"id":"` + orders + `","jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"}}`, "RSA keys are not supported"},
		{"two objects", "shop", name, good + good, "bytes after the object"},
		{"empty", "shop", name, "", "no object"},
		{"half", "shop", name, good[:len(good)/2], "JSON"},
	} {
		t.Run(c.what, func(t *testing.T) {
			entry, err := trustdir.ParseEntry(c.domain, c.name, []byte(c.text), validID)
			switch {
			case c.problem == "" && (err != nil || entry.ID != orders || entry.Key.Thumbprint() != key.Thumbprint()):
				t.Errorf("got %v, %v", entry, err)
			case c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)):
				t.Errorf("got %v, %v, want %q", entry, err, c.problem)
			}
		})
	}
}

// FuzzParseEntry asks that an entry that is believed is the one that would be written under this name.
func FuzzParseEntry(f *testing.F) {
	key, err := jose.ParsePublicKey(
		[]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`),
	)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("shop", filepath.Base(fileOf(f, orders, key)), []byte(textOf(f, orders, key)))
	f.Add("shop", filepath.Base(fileOf(f, "spiffe://shop/a/b_c", key)), []byte(textOf(f, "spiffe://shop/a/b_c", key)))
	f.Add("shop", "orders.json", []byte(`{"id":"spiffe://shop/orders","jwk":{"kty":"oct"}}`))
	f.Fuzz(func(t *testing.T, domain, name string, text []byte) {
		entry, err := trustdir.ParseEntry(domain, name, text, validID)
		if err != nil {
			return
		}
		if file := fileOf(t, entry.ID, entry.Key); file != filepath.Join("trust", domain, name) {
			t.Fatalf("%q in %s/%s belongs to %s", text, domain, name, file)
		}
		again, err := trustdir.ParseEntry(domain, name, []byte(textOf(t, entry.ID, entry.Key)), validID)
		if err != nil || again.ID != entry.ID || again.Key.Thumbprint() != entry.Key.Thumbprint() {
			t.Fatalf("%q is written as %v, %v", text, again, err)
		}
	})
}
