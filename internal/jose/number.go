package jose

import (
	"strconv"
	"strings"
)

// maxSeconds is the last second of the year 9999. Later times cannot be written in RFC 3339, and a token that names one
// means to live forever.
const maxSeconds = 253402300799

// maxInteger is the largest whole number that a float64, as which many read JSON, cannot confuse with another.
const maxInteger = 1<<53 - 1

// seconds returns the whole part of a scanned JSON number, when it lies between 1 and maxSeconds. Zero is refused
// because some libraries take an exp of zero for "never".
func seconds(number string) (int64, bool) {
	if number[0] == '-' {
		return 0, false
	}
	mantissa, exponent := number, 0
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		var err error
		// An exponent that Atoi refuses lies far outside of the range whatever it multiplies.
		if exponent, err = strconv.Atoi(number[i+1:]); err != nil {
			return 0, false
		}
		mantissa = number[:i]
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
		if n = n*10 + digit; n > maxSeconds {
			return 0, false
		}
	}
	return n, n > 0
}
