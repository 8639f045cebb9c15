package strictjson

import (
	"strconv"
	"strings"
)

// LastSecond is the last second of the year 9999. Later times cannot be written in RFC 3339, and a token that names one
// means to live forever.
const LastSecond = 253402300799

// seconds returns the whole part of a number that lies between 1 and LastSecond. Zero is refused because some libraries
// take an exp of zero for "never".
func (v Value) seconds() (int64, bool) {
	if v.kind != kindNumber || v.text[0] == '-' {
		return 0, false
	}
	mantissa, exponent := v.text, 0
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		var err error
		// An exponent that Atoi refuses lies far outside of the range whatever it multiplies.
		if exponent, err = strconv.Atoi(mantissa[i+1:]); err != nil {
			return 0, false
		}
		mantissa = mantissa[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	point := len(whole) + exponent
	var n int64
	for i := range point {
		digit := int64(0)
		switch {
		case i < len(whole):
			digit = int64(whole[i] - '0')
		case i < len(whole)+len(fraction):
			digit = int64(fraction[i-len(whole)] - '0')
		case n == 0:
			return 0, false
		}
		if n = n*10 + digit; n > LastSecond {
			return 0, false
		}
	}
	return n, n > 0
}
