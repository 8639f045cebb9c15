package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// The files in docs/vectors are what these tests make and check; go test -run TestVectors -update writes them anew.

var updateVectors = flag.Bool("update", false, "rewrite the test vectors in docs/vectors")

const (
	vectorDir = "../../docs/vectors"
	// vectorNow is the time at which the vectors are checked: 2030-01-01T00:00:00Z.
	vectorNow = 1893456000
	accepted  = "accepted"
)

// vectorKeys are the keys of the vectors by name. All are published in the trust directory but those of mallory, whom
// nobody knows, issuer and root.
var vectorKeys = []string{"orders", "payments", "reports", "mallory", "issuer", "root"}

// vectorToken is a token with what it was made of.
type vectorToken struct {
	Key    string `json:"key"`    // whose it is that signed
	Type   string `json:"typ"`    // of the header
	Claims string `json:"claims"` // the payload as it was signed
	Token  string `json:"token"`
}

// vectorKey is a key with its secret, which is published on purpose.
type vectorKey struct {
	Name       string          `json:"name"`
	ID         string          `json:"id,omitempty"`
	Thumbprint string          `json:"thumbprint"`
	Private    json.RawMessage `json:"private"`
}

// vectors is a world with the keys of the vectors, at their time.
type vectors struct {
	*world
	keys map[string]*jose.PrivateKey
}

// inVectors runs a test in a bubble at the time of the vectors.
func inVectors(t *testing.T, test func(*vectors)) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Unix(vectorNow, 0)))
		v := &vectors{world: newWorld(t), keys: map[string]*jose.PrivateKey{}}
		for _, name := range vectorKeys {
			v.keys[name] = vectorKeyOf(t, name)
		}
		dir := filepath.Join(v.dir, "keys", "shop.example")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"orders", "payments", "reports"} {
			text, err := v.keys[name].MarshalJWK()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+".jwk"), text, 0o600); err != nil {
				t.Fatal(err)
			}
			v.identity(name) // which publishes it
		}
		test(v)
	})
}

// vectorKeyOf derives a key from its name. That of reports is for ES256.
func vectorKeyOf(t testing.TB, name string) *jose.PrivateKey {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	seed := sha256.Sum256([]byte("parley test vector: " + name))
	text := `{"kty":"OKP","crv":"Ed25519","x":"` + encode(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)) + `","d":"` + encode(seed[:]) + `"}`
	if name == "reports" {
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		text = `{"kty":"EC","crv":"P-256","x":"` + encode(point[1:33]) + `","y":"` + encode(point[33:]) + `","d":"` + encode(seed[:]) + `"}`
	}
	key, err := jose.ParsePrivateKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// token signs claims, byte for byte.
func (v *vectors) token(key, typ, claims string) vectorToken {
	v.t.Helper()
	token, err := v.keys[key].Sign(typ, []byte(claims))
	if err != nil {
		v.t.Fatal(err)
	}
	return vectorToken{key, typ, claims, token}
}

// edited returns the claims with one thing replaced.
func edited(t testing.TB, claims, old, replacement string) string {
	t.Helper()
	if strings.Count(claims, old) == 0 {
		t.Fatalf("the claims %s do not contain %s", claims, old)
	}
	return strings.Replace(claims, old, replacement, 1)
}

// forged returns the token with another signature, which nothing fits.
func (t vectorToken) forged() vectorToken {
	end := strings.LastIndexByte(t.Token, '.') + 1
	t.Token = t.Token[:end] + strings.Repeat("A", len(t.Token)-end)
	return t
}

// resultOf is what the vectors say about an outcome.
func resultOf(err error) string {
	if err == nil {
		return accepted
	}
	return string(rpcerr.ReasonOf(err))
}

// kept gives tokens of ES256 keys, whose signature is new each time, the one that is in the file where their text is
// the same.
func kept(t testing.TB, name string, cases []vectorCase) {
	t.Helper()
	was, err := os.ReadFile(filepath.Join(vectorDir, name))
	if err != nil && !*updateVectors {
		t.Fatal(err)
	}
	for i := range cases {
		token := &cases[i].Token
		signed := (*token)[:strings.LastIndexByte(*token, '.')+1]
		if at := bytes.Index(was, []byte(signed)); at >= 0 {
			*token = string(was[at : at+len(*token)])
		}
	}
}

// golden compares what a test made with its file.
func golden(t testing.TB, name string, made any) {
	t.Helper()
	path := filepath.Join(vectorDir, name)
	was, err := os.ReadFile(path)
	if err != nil && !*updateVectors {
		t.Fatal(err)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(made); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(text.Bytes(), was) {
		return
	}
	if !*updateVectors {
		t.Fatalf("%s is not what the code makes; if the protocol was meant to change, run go test ./interceptors/auth -run TestVectors -update", path)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestVectorsKeys(t *testing.T) {
	var made struct {
		Keys []vectorKey `json:"keys"`
	}
	for _, name := range vectorKeys {
		key := vectorKeyOf(t, name)
		text, err := key.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		k := vectorKey{Name: name, Thumbprint: key.Public().Thumbprint(), Private: text}
		if name != "issuer" && name != "root" {
			k.ID = "spiffe://shop.example/" + name
		}
		made.Keys = append(made.Keys, k)
	}
	golden(t, "keys.json", made)
}

// client is a channel of orders to payments in token mode.
func (v *vectors) client() *auth.Channel {
	v.t.Helper()
	roots, _ := v.certificate()
	c := v.identity("orders").Channel([]principal.Pattern{v.id("payments")}, auth.WithMode(auth.ModeToken), auth.WithRoots(roots), auth.WithServerName("localhost"))
	if err := c.Check(); err != nil {
		v.t.Fatal(err)
	}
	return c
}
