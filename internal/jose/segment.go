package jose

import (
	"encoding/base64"
	"strings"
)

// split cuts a compact JWS into its three segments and reports whether it is one: at most so long, two dots, no segment
// empty, and no byte outside the base64url alphabet (RFC 7515 section 7.1). It allocates nothing, whatever it is given.
func split(compact string, most int) (header, payload, signature string, err error) {
	if len(compact) > most {
		return "", "", "", tooLong(most)
	}
	var dots [2]int
	count := 0
	for i := range len(compact) {
		switch c := compact[i]; {
		case c == '.':
			if count == len(dots) {
				return "", "", "", refuse(ReasonSegments, "more than three segments")
			}
			dots[count] = i
			count++
		case !base64url(c):
			return "", "", "", refuse(ReasonEncoding, "a byte outside the base64url alphabet")
		}
	}
	if count < len(dots) {
		return "", "", "", refuse(ReasonSegments, "fewer than three segments")
	}
	header, payload, signature = compact[:dots[0]], compact[dots[0]+1:dots[1]], compact[dots[1]+1:]
	if header == "" || payload == "" || signature == "" {
		return "", "", "", refuse(ReasonSegments, "an empty segment")
	}
	return header, payload, signature, nil
}

// tooLong writes no number but its own: a forger must not make it cost more than the error.
func tooLong(most int) error {
	if most == MaxTokenLength {
		return refuse(ReasonSize, "longer than 8192 bytes")
	}
	return refuse(ReasonSize, "longer than its issuer may make them")
}

func base64url(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// decode appends the decoded segment to dst. The bits that the last byte leaves over must be zero, or else one token
// could be written in several ways. The standard decoder skips line ends; split and decodeMember let none through.
func decode(dst []byte, segment string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().AppendDecode(dst, []byte(segment))
}

// decodeMember decodes the base64url string of a key's member.
func decodeMember(value string) ([]byte, error) {
	if strings.ContainsAny(value, "\r\n") {
		return nil, base64.CorruptInputError(strings.IndexAny(value, "\r\n"))
	}
	return decode(nil, value)
}

// encodedLength is the length of n bytes in base64url.
func encodedLength(n int) int { return base64.RawURLEncoding.EncodedLen(n) }

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func appendSegment(dst []byte, s string) []byte {
	return base64.RawURLEncoding.AppendEncode(dst, []byte(s))
}
