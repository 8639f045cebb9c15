package jose_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
)

// The tables below are of the classes of json_web_signature_test.json in Wycheproof (github.com/C2SP/wycheproof), made
// anew: who has the private key can sign any padding at all, and none but the right one may hold. Of the classes of
// json_web_key_test.json, which are in TestAttack06And56SetKeyGate and in package keyset, one is left out: a modulus
// that a chip with CVE-2017-15361 (ROCA) made is not told from others.

const modulusLength = 256

// raise signs a padded message without looking at it.
func raise(raw *rsa.PrivateKey, padded []byte) []byte {
	m := new(big.Int).SetBytes(padded)
	return m.Exp(m, raw.D, raw.N).FillBytes(make([]byte, modulusLength))
}

// pkcs1Padding is 00 01 FF ... FF 00 and info, at the length of the modulus.
func pkcs1Padding(info []byte) []byte {
	padded := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, modulusLength-3-len(info))...)
	return append(append(padded, 0), info...)
}

func TestAttack05PKCS1Padding(t *testing.T) {
	raw, p := rsaKey(t), newProvider(t, jose.RS256)
	hash := digest(crypto.SHA256, p.signed("RS256"))
	oid := []byte{0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1}
	null := []byte{5, 0}
	octets := append([]byte{4, 32}, hash...)
	der := func(tag byte, parts ...[]byte) []byte {
		body := slices.Concat(parts...)
		return append([]byte{tag, byte(len(body))}, body...)
	}
	good := der(0x30, der(0x30, oid, null), octets)
	replaced := func(at int, with byte) []byte {
		padded := pkcs1Padding(good)
		padded[at] = with
		return padded
	}
	info := modulusLength - len(good) // where the DigestInfo begins
	shifted := func(padding int, garbage []byte) []byte {
		padded := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, padding), []byte{0}, good, garbage)
		return append(padded, make([]byte, modulusLength-len(padded))...)
	}
	tests := map[string][]byte{
		"no NULL":                             pkcs1Padding(der(0x30, der(0x30, oid), octets)),
		"two NULLs":                           pkcs1Padding(der(0x30, der(0x30, oid, null, null), octets)),
		"NULL with a body":                    pkcs1Padding(der(0x30, der(0x30, oid, []byte{5, 1, 0}), octets)),
		"a sequence for NULL":                 pkcs1Padding(der(0x30, der(0x30, oid, []byte{0x30, 0}), octets)),
		"long form of the length":             pkcs1Padding(slices.Concat([]byte{0x30, 0x81, 49}, good[2:])),
		"long form with zeros ahead":          pkcs1Padding(slices.Concat([]byte{0x30, 0x83, 0, 0, 49}, good[2:])),
		"length of an integer that overflows": pkcs1Padding(slices.Concat([]byte{0x30, 0x85, 1, 0, 0, 0, 49}, good[2:])),
		"indefinite length":                   pkcs1Padding(slices.Concat([]byte{0x30, 0x80}, good[2:], []byte{0, 0})),
		"length one more":                     replaced(info+1, 50),
		"length one less":                     replaced(info+1, 48),
		"no outer sequence":                   pkcs1Padding(good[2:]),
		"sequence of the sequence":            pkcs1Padding(der(0x30, good)),
		"a set for the sequence":              replaced(info, 0x31),
		"zeros appended to the sequence":      pkcs1Padding(der(0x30, der(0x30, oid, null), octets, []byte{0, 0})),
		"garbage behind the sequence":         pkcs1Padding(append(slices.Clone(good), 1, 2, 3)),
		"garbage in the algorithm": pkcs1Padding(
			der(0x30, der(0x30, oid, null, bytes.Repeat([]byte{1}, 20)), octets),
		),
		"the digest twice": pkcs1Padding(der(0x30, der(0x30, oid, null), octets, octets)),
		"a short digest": pkcs1Padding(
			der(0x30, der(0x30, oid, null), append([]byte{4, 31}, hash[:31]...)),
		),
		"an empty digest": pkcs1Padding(der(0x30, der(0x30, oid, null), []byte{4, 0})),
		"a bit string": pkcs1Padding(
			der(0x30, der(0x30, oid, null), append([]byte{3, 33, 0}, hash...)),
		),
		"SHA-384 by its name":                replaced(modulusLength-len(octets)-len(null)-1, 2),
		"SHA-224 by its name":                replaced(modulusLength-len(octets)-len(null)-1, 4),
		"the bare digest":                    pkcs1Padding(hash),
		"nothing":                            pkcs1Padding(nil),
		"block type 0":                       replaced(1, 0),
		"block type 2":                       replaced(1, 2),
		"first byte not 0":                   replaced(0, 1),
		"padding with a hole":                replaced(50, 0xfe),
		"no zero before the digest":          replaced(info-1, 0xff),
		"8 bytes of padding, garbage behind": shifted(8, bytes.Repeat([]byte{7}, 150)),
		"no padding, garbage behind":         shifted(0, bytes.Repeat([]byte{7}, 150)),
		"8 bytes of padding, zeros behind":   shifted(8, nil),
	}
	attacks := []attack{{"right", p.token("RS256", func([]byte) []byte { return raise(raw, pkcs1Padding(good)) }), ""}}
	for name, padded := range tests {
		attacks = append(
			attacks,
			attack{name, p.token("RS256", func([]byte) []byte { return raise(raw, padded) }), jose.ReasonSignature},
		)
	}
	p.refuses(t, attacks)
}

// pssPadding encodes as RFC 8017 section 9.1.1 has it; change alters the data block before it is masked, and the hash.
func pssPadding(hash, salt []byte, change func(block, h []byte)) []byte {
	h := sha256.Sum256(slices.Concat(make([]byte, 8), hash, salt))
	block := make([]byte, modulusLength-1-len(h))
	copy(block[len(block)-len(salt):], salt)
	block[len(block)-len(salt)-1] = 1
	change(block, h[:])
	for i := range block {
		mask := sha256.Sum256(append(slices.Clone(h[:]), 0, 0, 0, byte(i/len(h))))
		block[i] ^= mask[i%len(h)]
	}
	block[0] &= 0x7f
	return append(append(block, h[:]...), 0xbc)
}

func TestAttack05PSSPadding(t *testing.T) {
	raw, p := rsaKey(t), newProvider(t, jose.PS256)
	hash := digest(crypto.SHA256, p.signed("PS256"))
	salt := bytes.Repeat([]byte{0x5a}, sha256.Size)
	same := func([]byte, []byte) {}
	changed := func(change func(block, h []byte)) []byte { return pssPadding(hash, salt, change) }
	masked := func(at int, with byte) []byte { padded := changed(same); padded[at] = with; return padded }
	right := map[string][]byte{
		"right":         changed(same),
		"salt of zeros": pssPadding(hash, make([]byte, 32), same),
		"salt of ones":  pssPadding(hash, bytes.Repeat([]byte{0xff}, 32), same),
	}
	wrong := map[string][]byte{
		"no salt":                   pssPadding(hash, nil, same),
		"salt of 31 bytes":          pssPadding(hash, salt[:31], same),
		"salt of 33 bytes":          pssPadding(hash, append(slices.Clone(salt), 0), same),
		"the longest salt":          pssPadding(hash, bytes.Repeat([]byte{1}, 222), same),
		"first byte of the hash":    changed(func(_, h []byte) { h[0] ^= 1 }),
		"last byte of the hash":     changed(func(_, h []byte) { h[31] ^= 1 }),
		"hash of zeros":             changed(func(_, h []byte) { clear(h) }),
		"first byte of the padding": changed(func(block, _ []byte) { block[0] ^= 1 }),
		"last byte of the padding":  changed(func(block, _ []byte) { block[len(block)-34] ^= 1 }),
		"padding of ones": changed(
			func(block, _ []byte) { copy(block, bytes.Repeat([]byte{0xff}, len(block)-33)) },
		),
		"no 1 before the salt":      changed(func(block, _ []byte) { block[len(block)-33] = 0 }),
		"2 before the salt":         changed(func(block, _ []byte) { block[len(block)-33] = 2 }),
		"first byte of the salt":    changed(func(block, _ []byte) { block[len(block)-32] ^= 1 }),
		"last byte of the salt":     changed(func(block, _ []byte) { block[len(block)-1] ^= 0x80 }),
		"last byte 0":               masked(255, 0),
		"last byte of ISO 9796-2":   masked(255, 0xcc),
		"hash of the digest alone":  pssPadding(nil, salt, same),
		"hash of another token":     pssPadding(digest(crypto.SHA256, []byte("x")), salt, same),
		"padding of PKCS 1":         pkcs1Padding(hash),
		"a bit of the masked block": masked(0, changed(same)[0]^0x40),
	}
	var attacks []attack
	add := func(name string, padded []byte, want jose.Reason) {
		attacks = append(attacks, attack{name, p.token("PS256", func([]byte) []byte { return raise(raw, padded) }), want})
	}
	for name, padded := range right {
		add(name, padded, "")
	}
	for name, padded := range wrong {
		add(name, padded, jose.ReasonSignature)
	}
	p.refuses(t, attacks)
}

// No pair of the numbers at the edges is a signature.
func TestAttack05EdgesOfECDSA(t *testing.T) {
	for curve, alg := range map[elliptic.Curve]jose.Algorithm{elliptic.P256(): jose.ES256, elliptic.P384(): jose.ES384} {
		p, n, one := newProvider(t, alg), curve.Params().N, big.NewInt(1)
		edges := map[string]*big.Int{
			"0": {}, "1": one, "n - 1": new(big.Int).Sub(n, one), "n": n, "n + 1": new(big.Int).Add(n, one), "p": curve.Params().P,
			"the largest": new(big.Int).Sub(new(big.Int).Lsh(one, uint(curve.Params().BitSize)), one),
		}
		var attacks []attack
		for nameR, r := range edges {
			for nameS, s := range edges {
				attacks = append(attacks, attack{
					fmt.Sprintf("%s r = %s, s = %s", alg, nameR, nameS),
					p.token(string(alg), func([]byte) []byte { return pair(curve, r, s) }), jose.ReasonSignature,
				})
			}
		}
		p.refuses(t, attacks)
	}
}
