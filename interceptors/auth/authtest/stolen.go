package authtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// WithoutKey makes from a good token what whoever holds it can make of it without any key. The token may be one of a
// real issuer, by whatever algorithm; a verifier must refuse all of them. It returns nil for a text that has not three
// segments.
func WithoutKey(good string) []Attack {
	s := strings.Split(good, ".")
	if len(s) != 3 {
		return nil
	}
	header, payload, signature := s[0], s[1], s[2]
	under := func(alg string) string { return encode(withAlgorithm(header, alg)) + "." + payload + "." }
	loose := func(segment int, change func(string) string) string {
		parts := []string{header, payload, signature}
		parts[segment] = change(parts[segment])
		return strings.Join(parts, ".")
	}
	behind := func(text string) func(string) string { return func(s string) string { return s + text } }
	bad := func(row int, name, token string) Attack { return Attack{Row: row, Name: name, Token: token} }
	return []Attack{
		bad(1, "alg none, no signature", under("none")),
		bad(1, "alg nOnE, no signature", under("nOnE")),
		bad(1, "alg NONE, the old signature", under("NONE")+signature),
		bad(5, "signature without its last byte", loose(2, func(s string) string { return s[:max(0, len(s)-2)] })),
		bad(5, "signature of zeros", loose(2, func(s string) string { return strings.Repeat("A", len(s)) })),
		bad(14, "JWE of five segments", good+".AAAA.AAAA"),
		bad(15, "flattened JSON", `{"protected":"`+header+`","payload":"`+payload+`","signature":"`+signature+`"}`),
		bad(16, "general JSON, the second signature holds", `{"payload":"`+payload+`","signatures":[{"protected":"`+encode(`{"alg":"none"}`)+
			`","signature":""},{"protected":"`+header+`","signature":"`+signature+`"}]}`),
		bad(42, "longer than 8 KiB", good+strings.Repeat("A", 8192)),
		bad(42, "20,000 dots", strings.Repeat(".", 20_000)),
		bad(44, "padding behind the header", loose(0, behind("="))),
		bad(44, "padding behind the payload", loose(1, behind("="))),
		bad(44, "padding behind the signature", good+"="),
		bad(44, "line end in the payload", loose(1, func(s string) string { return s[:min(1, len(s))] + "\r\n" + s[min(1, len(s)):] })),
		bad(44, "spare bits of the signature", loose(2, spareBits)),
		bad(44, "the other alphabet", loose(2, func(s string) string { return "+/" + s[min(2, len(s)):] })),
		bad(44, "space in front", " "+good),
		bad(44, "space behind", good+" "),
		bad(44, "line end behind", good+"\n"),
		bad(46, "nothing", ""),
		bad(46, "one segment", payload),
		bad(46, "two segments", header+"."+payload),
		bad(46, "four segments", good+"."+signature),
		bad(46, "four segments, the last one empty", good+"."),
		bad(46, "header empty", "."+payload+"."+signature),
		bad(46, "payload empty", header+".."+signature),
		bad(46, "signature empty", header+"."+payload+"."),
		bad(48, "signature of nobody", loose(2, func(s string) string { return strings.Repeat("B", max(0, len(s)-1)) + "A" })),
	}
}

// withAlgorithm is the text of a header that names another algorithm and is otherwise as it was.
func withAlgorithm(segment, alg string) string {
	members := map[string]any{}
	if text, err := base64.RawURLEncoding.DecodeString(segment); err != nil || json.Unmarshal(text, &members) != nil || members == nil {
		members = map[string]any{} // no token, and no reason to fail
	}
	members["alg"] = alg
	text, _ := json.Marshal(members) // what came from JSON goes back into it
	return string(text)
}

// spareBits writes the same bytes in other letters where the last letter has bits that mean nothing, and other bytes
// where it has none.
func spareBits(segment string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := len(segment) - 1
	if last < 0 || strings.IndexByte(letters, segment[last]) < 0 {
		return segment + "_"
	}
	return segment[:last] + string(letters[strings.IndexByte(letters, segment[last])^1])
}

// mac is a token under HS256.
func mac(secret []byte, kid, payload string) string {
	signed := encode(`{"alg":"HS256","kid":"`+kid+`","typ":"at+jwt"}`) + "." + encode(payload)
	h := hmac.New(sha256.New, secret)
	_, _ = h.Write([]byte(signed)) // never fails
	return signed + "." + encode(string(h.Sum(nil)))
}
