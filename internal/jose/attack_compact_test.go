package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

func TestAttack05Es256Signature(t *testing.T) {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := raw.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.ParsePublicKey(
		[]byte(`{"kty":"EC","crv":"P-256","x":"` + b64(string(point[1:33])) + `","y":"` + b64(string(point[33:])) + `"}`),
	)
	if err != nil {
		t.Fatal(err)
	}
	signed := b64(`{"alg":"ES256","kid":"`+key.Thumbprint()+`","typ":"at+jwt"}`) + "." + b64(`{}`)
	digest := sha256.Sum256([]byte(signed))
	der, err := ecdsa.SignASN1(rand.Reader, raw, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	r, s, err := ecdsa.Sign(rand.Reader, raw, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	pair := func(r, s *big.Int) string {
		var out [64]byte
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return string(out[:])
	}
	n, zero := elliptic.P256().Params().N, new(big.Int)
	good := pair(r, s)
	for _, a := range []struct {
		name, signature string
		want            jose.Reason
	}{
		{"raw", good, ""},
		{"r = s = 0", pair(zero, zero), jose.ReasonSignature},
		{"r = 0", pair(zero, s), jose.ReasonSignature},
		{"s = 0", pair(r, zero), jose.ReasonSignature},
		{"r = n", pair(n, s), jose.ReasonSignature},
		{"s = n", pair(r, n), jose.ReasonSignature},
		{"r = s = 1", pair(big.NewInt(1), big.NewInt(1)), jose.ReasonSignature},
		{"all ones", strings.Repeat("\xff", 64), jose.ReasonSignature},
		{"halves swapped", pair(s, r), jose.ReasonSignature},
		{"DER", string(der), jose.ReasonSignature},
		{"63 bytes", good[:63], jose.ReasonSignature},
		{"65 bytes", good + "\x00", jose.ReasonSignature},
		{"96 bytes", good + good[:32], jose.ReasonSignature},
	} {
		t.Run(a.name, func(t *testing.T) {
			if got := new(forger).check(t, signed+"."+b64(a.signature), key); got != a.want {
				t.Errorf("refused because of %q, want %q", got, a.want)
			}
		})
	}
}

// The negative of S is a valid signature in ECDSA, so tokens are never compared by their text. Of Ed25519 there is one
// form only: S + L is refused.
func TestAttack05Ed25519SecondForm(t *testing.T) {
	f := newForger(t)
	compact := f.token(goodHeader, `{}`)
	signed := compact[:strings.LastIndexByte(compact, '.')]
	order, ok := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	if !ok {
		t.Fatal("order")
	}
	signature := unb64(t, compact[len(signed)+1:])
	for i, j := 32, 63; i < j; i, j = i+1, j-1 {
		signature[i], signature[j] = signature[j], signature[i]
	}
	s := new(big.Int).SetBytes(signature[32:])
	s.Add(s, order).FillBytes(signature[32:])
	for i, j := 32, 63; i < j; i, j = i+1, j-1 {
		signature[i], signature[j] = signature[j], signature[i]
	}
	f.refuses(t, []attack{{"S + L", signed + "." + b64(string(signature)), jose.ReasonSignature}})
}

func TestAttack14To16OtherSerialisations(t *testing.T) {
	f := newForger(t)
	good := f.token(goodHeader, `{}`)
	parts := strings.Split(good, ".")
	flattened := `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
	general := `{"payload":"` + parts[1] + `","signatures":[{"protected":"AA","signature":"AA"},{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`
	f.refuses(t, []attack{
		{"JWE", good + ".AAAA.AAAA", jose.ReasonSegments},
		{"JSON flattened", flattened, jose.ReasonEncoding},
		{"JSON general", general, jose.ReasonEncoding},
		{"detached payload", parts[0] + ".." + parts[2], jose.ReasonSegments},
	})
}

func TestAttack42Oversized(t *testing.T) {
	f := newForger(t)
	room := jose.MaxTokenLength - len(f.token(goodHeader, `{"a":""}`))
	fit := room * 3 / 4
	if got := f.check(t, f.token(goodHeader, `{"a":"`+strings.Repeat("a", fit)+`"}`), f.public); got != "" {
		t.Errorf("the longest token is refused because of %q", got)
	}
	f.refuses(t, []attack{
		{"over 8 KiB", f.token(goodHeader, `{"a":"`+strings.Repeat("a", fit+2)+`"}`), jose.ReasonSize},
		{"1 MiB claim", f.token(goodHeader, `{"a":"`+strings.Repeat("a", 1<<20)+`"}`), jose.ReasonSize},
		{"4 MiB of dots", strings.Repeat(".", 4<<20), jose.ReasonSize},
		{"8 KiB of dots", strings.Repeat(".", 8<<10), jose.ReasonSegments},
	})
	dots := strings.Repeat(".", 4<<20)
	if n := testing.AllocsPerRun(10, func() { _, _ = jose.Parse(dots, typ) }); n > 1 {
		t.Errorf("4 MiB of dots cost %v allocations; only the error is allowed", n)
	}
}

func TestAttack44LooseBase64(t *testing.T) {
	f := newForger(t)
	good := f.token(goodHeader, `{"sub":"ab"}`)
	parts := strings.Split(good, ".")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	spare := func(segment string) string { // the same bytes with one of the left-over bits set
		last := len(segment) - 1
		return segment[:last] + string(alphabet[strings.IndexByte(alphabet, segment[last])|1])
	}
	attacks := []attack{
		{"leading space", " " + good, jose.ReasonEncoding},
		{"trailing space", good + " ", jose.ReasonEncoding},
		{"trailing line end", good + "\n", jose.ReasonEncoding},
		{"NUL", good + "\x00", jose.ReasonEncoding},
		{"not ASCII", good + "é", jose.ReasonEncoding},
		{"spare bits in the signature", parts[0] + "." + parts[1] + "." + spare(parts[2]), jose.ReasonEncoding},
		{"spare bits in the payload", f.sign(parts[0] + "." + spare(b64(`{"sub":"abc"}`))), jose.ReasonEncoding},
		{"one character left over", f.sign(parts[0] + "." + parts[1] + "A"), jose.ReasonEncoding},
	}
	for i, segment := range []string{"header", "payload", "signature"} {
		for _, foreign := range []string{"=", "==", "+", "/", "\r\n", " ", "%3D"} {
			changed := append([]string(nil), parts...)
			changed[i] += foreign
			attacks = append(attacks, attack{segment + " with " + foreign, strings.Join(changed, "."), jose.ReasonEncoding})
		}
	}
	spareHeader := f.header(goodHeader) + strings.Repeat(" ", 1+(3-(len(f.header(goodHeader))+1)%3)%3+1)
	attacks = append(
		attacks,
		attack{"spare bits in the header", f.sign(spare(b64(spareHeader)) + "." + parts[1]), jose.ReasonEncoding},
	)
	f.refuses(t, attacks)
}

func TestAttack46Segments(t *testing.T) {
	f := newForger(t)
	good := f.token(goodHeader, `{}`)
	parts := strings.Split(good, ".")
	f.refuses(t, []attack{
		{"nothing", "", jose.ReasonSegments},
		{"one", parts[0], jose.ReasonSegments},
		{"two", parts[0] + "." + parts[1], jose.ReasonSegments},
		{"four", good + "." + parts[2], jose.ReasonSegments},
		{"four, the last empty", good + ".", jose.ReasonSegments},
		{"header empty", "." + parts[1] + "." + parts[2], jose.ReasonSegments},
		{"payload empty", parts[0] + ".." + parts[2], jose.ReasonSegments},
		{"signature empty", parts[0] + "." + parts[1] + ".", jose.ReasonSegments},
		{"only dots", "..", jose.ReasonSegments},
	})
}
