package jose_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

const (
	goodX     = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	goodPrint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
	ecX       = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
	ecY       = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	ecD       = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
	edD       = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
)

func TestAttack06And56PublicKeyGate(t *testing.T) {
	okp := func(rest string) string { return `{"kty":"OKP","crv":"Ed25519","x":"` + goodX + `"` + rest + `}` }
	zeros := strings.Repeat("A", 43)
	for _, c := range []struct {
		name, jwk string
		want      jose.Reason
	}{
		{"bare", okp(``), ""},
		{"all it may say", okp(`,"alg":"EdDSA","kid":"` + goodPrint + `","use":"sig","key_ops":["verify"],"x5t":"AA","note":"kept by ops"`), ""},
		{"P-256", `{"kty":"EC","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `","alg":"ES256"}`, ""},
		{"Ed25519 of 1 byte", `{"kty":"OKP","crv":"Ed25519","x":"AA"}`, jose.ReasonKey},
		{"Ed25519 of 31 bytes", `{"kty":"OKP","crv":"Ed25519","x":"` + b64(strings.Repeat("a", 31)) + `"}`, jose.ReasonKey},
		{"Ed25519 of 33 bytes", `{"kty":"OKP","crv":"Ed25519","x":"` + b64(strings.Repeat("a", 33)) + `"}`, jose.ReasonKey},
		{"Ed25519 of no bytes", `{"kty":"OKP","crv":"Ed25519","x":""}`, jose.ReasonKey},
		{"Ed25519 without x", `{"kty":"OKP","crv":"Ed25519"}`, jose.ReasonKey},
		{"Ed25519 with x a number", `{"kty":"OKP","crv":"Ed25519","x":1}`, jose.ReasonKey},
		{"Ed25519 with padding", `{"kty":"OKP","crv":"Ed25519","x":"` + goodX + `="}`, jose.ReasonKey},
		{"Ed25519 with a line end", `{"kty":"OKP","crv":"Ed25519","x":"` + goodX + `\n"}`, jose.ReasonKey},
		{"Ed25519 with a spare bit", `{"kty":"OKP","crv":"Ed25519","x":"` + goodX[:42] + `p"}`, jose.ReasonKey},
		{"Ed25519 off the curve", `{"kty":"OKP","crv":"Ed25519","x":"` + b64("\x02"+strings.Repeat("\x00", 31)) + `"}`, jose.ReasonKey},
		{"Ed448", `{"kty":"OKP","crv":"Ed448","x":"` + goodX + `"}`, jose.ReasonKey},
		{"X25519", `{"kty":"OKP","crv":"X25519","x":"` + goodX + `"}`, jose.ReasonKey},
		{"row 6: P-384", `{"kty":"EC","crv":"P-384","x":"` + ecX + `","y":"` + ecY + `","alg":"ES256"}`, jose.ReasonKey},
		{"secp256k1", `{"kty":"EC","crv":"secp256k1","x":"` + ecX + `","y":"` + ecY + `"}`, jose.ReasonKey},
		{"P-256 off the curve", `{"kty":"EC","crv":"P-256","x":"` + ecX + `","y":"` + ecX + `"}`, jose.ReasonKey},
		{"P-256 at zero", `{"kty":"EC","crv":"P-256","x":"` + zeros + `","y":"` + zeros + `"}`, jose.ReasonKey},
		{"P-256 beyond the field", `{"kty":"EC","crv":"P-256","x":"` + b64(strings.Repeat("\xff", 32)) + `","y":"` + ecY + `"}`, jose.ReasonKey},
		{"P-256 without y", `{"kty":"EC","crv":"P-256","x":"` + ecX + `"}`, jose.ReasonKey},
		{"P-256 short", `{"kty":"EC","crv":"P-256","x":"AA","y":"` + ecY + `"}`, jose.ReasonKey},
		{"P-256 with a leading zero byte", `{"kty":"EC","crv":"P-256","x":"` + b64("\x00"+strings.Repeat("a", 32)) + `","y":"` + ecY + `"}`, jose.ReasonKey},
		{"RSA", `{"kty":"RSA","n":"AQAB","e":"AQAB"}`, jose.ReasonKey},
		{"RSA with e = 1", `{"kty":"RSA","n":"AQAB","e":"AQ"}`, jose.ReasonKey},
		{"ML-DSA", `{"kty":"AKP","alg":"ML-DSA-65","pub":"AA"}`, jose.ReasonKey},
		{"unknown kty", `{"kty":"XYZ"}`, jose.ReasonKey},
		{"no kty", `{"crv":"Ed25519","x":"` + goodX + `"}`, jose.ReasonKey},
		{"kty in another case", `{"kty":"okp","crv":"Ed25519","x":"` + goodX + `"}`, jose.ReasonKey},
		{"member in another case", `{"kty":"OKP","crv":"Ed25519","X":"` + goodX + `"}`, jose.ReasonKey},
		{"oct", `{"kty":"oct","k":"AAAA"}`, jose.ReasonSecret},
		{"private Ed25519", okp(`,"d":"` + edD + `"`), jose.ReasonSecret},
		{"private with d null", okp(`,"d":null`), jose.ReasonSecret},
		{"private P-256", `{"kty":"EC","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `","d":"` + ecD + `"}`, jose.ReasonSecret},
		{"with k", okp(`,"k":"AA"`), jose.ReasonSecret},
		{"alg of another key", okp(`,"alg":"ES256"`), jose.ReasonKey},
		{"alg none", okp(`,"alg":"none"`), jose.ReasonKey},
		{"alg null", okp(`,"alg":null`), jose.ReasonKey},
		{"kid of another key", okp(`,"kid":"mine"`), jose.ReasonKey},
		{"use enc", okp(`,"use":"enc"`), jose.ReasonKey},
		{"key_ops sign", okp(`,"key_ops":["sign"]`), jose.ReasonKey},
		{"key_ops not a list", okp(`,"key_ops":{}`), jose.ReasonKey},
		{"duplicate member", okp(`,"x":"` + goodX + `"`), jose.ReasonKey},
		{"trailing bytes", okp(``) + `{}`, jose.ReasonKey},
		{"a set", `{"keys":[` + okp(``) + `]}`, jose.ReasonKey},
		{"PEM", "-----BEGIN PUBLIC KEY-----", jose.ReasonKey},
		{"nothing", ``, jose.ReasonKey},
		{"9 KiB", okp(`,"note":"` + strings.Repeat("n", 9<<10) + `"`), jose.ReasonKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := jose.ParsePublicKey([]byte(c.jwk))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.Is(err, c.want) || key != nil):
				t.Errorf("got %v, %v, want reason %q", key, err, c.want)
			}
		})
	}
}

func TestPrivateKeyGate(t *testing.T) {
	okp := func(rest string) string { return `{"kty":"OKP","crv":"Ed25519","x":"` + goodX + `"` + rest + `}` }
	ec := func(rest string) string {
		return `{"kty":"EC","crv":"P-256","x":"` + ecX + `","y":"` + ecY + `"` + rest + `}`
	}
	for _, c := range []struct {
		name, jwk string
		good      bool
	}{
		{"Ed25519", okp(`,"d":"` + edD + `"`), true},
		{"P-256", ec(`,"d":"` + ecD + `","key_ops":["sign"]`), true},
		{"public only", okp(``), false},
		{"Ed25519 with another secret", okp(`,"d":"` + ecD + `"`), false},
		{"Ed25519 with a short secret", okp(`,"d":"AA"`), false},
		{"P-256 with another secret", ec(`,"d":"` + edD + `"`), false},
		{"P-256 with secret 0", ec(`,"d":"` + strings.Repeat("A", 43) + `"`), false},
		{"P-256 with a secret beyond the order", ec(`,"d":"` + b64(strings.Repeat("\xff", 32)) + `"`), false},
		{"key_ops verify", ec(`,"d":"` + ecD + `","key_ops":["verify"]`), false},
		{"RSA", `{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQAB"}`, false},
		{"oct", `{"kty":"oct","k":"AAAA"}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := jose.ParsePrivateKey([]byte(c.jwk))
			if (err == nil) != c.good || (key != nil) != c.good {
				t.Errorf("got %v, %v", key, err)
			}
			if err != nil && (strings.Contains(err.Error(), edD) || strings.Contains(err.Error(), ecD)) {
				t.Errorf("%v repeats the secret", err)
			}
		})
	}
}
