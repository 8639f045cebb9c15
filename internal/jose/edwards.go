package jose

import (
	"math/big"
	"slices"
)

// soundEd25519 reports whether 32 bytes are the canonical encoding of a point on edwards25519 (RFC 8032 section 5.1.3)
// that is not of small order. The signatures of a point of small order can be made by anyone; crypto/ed25519 lets both
// pass.
//
// It runs when a key is read and never when a token is.
func soundEd25519(point []byte) bool {
	littleEndian := slices.Clone(point)
	littleEndian[31] &^= 0x80 // the sign of x
	slices.Reverse(littleEndian)
	y := new(big.Int).SetBytes(littleEndian)

	// p = 2^255 - 19 and d = -121665/121666
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	p.Sub(p, big.NewInt(19))
	if y.Cmp(p) >= 0 {
		return false
	}
	mul := func(a, b *big.Int) *big.Int { c := new(big.Int).Mul(a, b); return c.Mod(c, p) }
	add := func(a *big.Int, b int64) *big.Int { c := new(big.Int).Add(a, big.NewInt(b)); return c.Mod(c, p) }
	d := mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))

	// The curve is y^2 - x^2 = 1 + d x^2 y^2, so x^2 = u/v with the u and v below, which is a square exactly if u v is.
	yy := mul(y, y)
	u, v := add(yy, -1), add(mul(d, yy), 1)
	if big.Jacobi(mul(u, v), p) < 0 {
		return false
	}
	// Orders 1 and 2 have y = 1 and -1, order 4 has y = 0. A point of order 8 doubles to y = 0, which happens for
	// x^2 = -y^2, hence d y^4 + 2 y^2 - 1 = 0.
	eighth := add(new(big.Int).Add(mul(d, mul(yy, yy)), new(big.Int).Lsh(yy, 1)), -1)
	return y.Sign() != 0 && u.Sign() != 0 && eighth.Sign() != 0
}
