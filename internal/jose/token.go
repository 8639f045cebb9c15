package jose

import "github.com/parley-rpc/parley/internal/strictjson"

// Token is a well-formed compact JWS. Nothing of it is proven until [Token.Verify] has returned without error; until
// then its key ID serves only to find the key. A Token never changes and may be used from any goroutine.
type Token struct {
	header    header
	signed    string // header and payload as received
	payload   string
	limits    strictjson.Limits // of the payload
	length    int               // of the whole token
	signature []byte
	buffer    [signatureLength]byte // where the signature lies, unless it is longer
}

// signatureLength is the length in bytes of an Ed25519 signature, and of an ES256 signature in the form of RFC 7518.
const signatureLength = 64

// Parse reads a compact JWS whose type is one of allowedTyp, compared byte for byte; with no type allowed it refuses
// every token; the type "" allows a header without typ. It checks everything that needs no key: length, alphabet,
// segments, the header, the signature's length. Whatever the input, its cost is bounded by [MaxTokenLength].
//
// Every error is an [*Error].
func Parse(compact string, allowedTyp ...string) (*Token, error) {
	return ParseForm(compact, Form{Types: allowedTyp})
}

// ParseForm is [Parse] for tokens of a wider form.
func ParseForm(compact string, form Form) (*Token, error) {
	form = form.bounded()
	header, payload, signature, err := split(compact, form.Length)
	if err != nil {
		return nil, err
	}
	t := &Token{
		signed: compact[:len(header)+1+len(payload)], length: len(compact),
		limits: strictjson.Limits{Members: form.Members, CaseVariants: form.CaseVariants},
	}
	if t.header, err = parseHeader(header, &form); err != nil {
		return nil, err
	}
	least, most := t.header.algorithm.signatureLengths()
	if n := len(signature); n < encodedLength(least) || n > encodedLength(most) {
		return nil, refuse(ReasonSignature, "not as long as those of its algorithm")
	}
	if t.signature, err = decode(t.buffer[:0], signature); err != nil {
		return nil, refuse(ReasonEncoding, "signature")
	}
	decoded, err := decode(nil, payload)
	if err != nil {
		return nil, refuse(ReasonEncoding, "payload")
	}
	t.payload = string(decoded)
	return t, nil
}

// Within returns nil when a token that was read by a wider form is of this form, too, as far as its header and its
// length go. The error is an [*Error].
func (t *Token) Within(f Form) error {
	f = f.bounded()
	switch {
	case t.length > f.Length:
		return tooLong(f.Length)
	case t.header.others && !f.OtherHeaders:
		return refuse(ReasonHeader, t.header.otherMember())
	case t.header.keyID == "" && !f.NoKeyID:
		return refuse(ReasonHeader, t.header.noKeyID())
	case t.header.keyID != "" && !f.allowsKeyID(t.header.keyID):
		return refuse(ReasonKeyID, badKeyID)
	case !f.allows(t.header.typ):
		return refuse(ReasonType, t.header.badType())
	}
	return nil
}

// Unproven reads the payload by the form that the token was read by. Nothing proves it before [Token.VerifySignature].
// The error is an [*Error].
func (t *Token) Unproven() (Payload, error) {
	claims, shape, err := strictjson.ReadWithin(t.payload, t.limits)
	if err != nil {
		return Payload{}, &Error{Reason: ReasonClaims, Cause: err}
	}
	return Payload{claims, shape}, nil
}

// KeyID is the header's kid, 1 to 128 printable ASCII characters or as the form allows it, or "" where that allows a
// header without one. It is nothing but a key of a map.
func (t *Token) KeyID() string { return t.header.keyID }

// Type is the header's typ, one of the allowed types.
func (t *Token) Type() string { return t.header.typ }

// Algorithm is the header's alg, [EdDSA] also where it says Ed25519.
func (t *Token) Algorithm() Algorithm { return t.header.algorithm }

// ClaimedIssuer is the iss that the payload states, or "" when it states none. Nothing proves it: it serves only to
// choose among the keys of several issuers, before [Token.Verify]. The error is that of a payload that cannot be read.
func (t *Token) ClaimedIssuer() (string, error) {
	payload, err := t.Unproven()
	if err != nil {
		return "", err
	}
	issuer, _ := payload.Claims.String("iss")
	return issuer, nil
}

// String names the token's type and key. It shows neither claims nor signature.
func (t *Token) String() string {
	return "token of type " + t.header.typ + " by key " + t.header.keyID
}

// Verify checks that key signed the token, as [Token.VerifySignature] does, and returns the claims. The payload must be
// one strict JSON object: no duplicate members at any depth (names that differ only in case are duplicates, unless the
// form allows them), at most 16 levels, and 64 members per object or as many as the form allows, valid UTF-8, no NUL,
// nothing after it. It says nothing about what the claims mean.
//
// Every error is an [*Error].
func (t *Token) Verify(key *PublicKey) (*strictjson.Object, error) {
	if err := t.VerifySignature(key); err != nil {
		return nil, err
	}
	payload, err := t.Unproven()
	return payload.Claims, err
}

// VerifySignature checks that key signed the token: the header must name key's algorithm, and its key ID where it names
// one, and the signature must hold over the bytes as received.
//
// Do not compare tokens by their text: the holder of an ES256 or ES384 token can write its signature in a second form
// that is valid too, as ECDSA allows it. A token with another algorithm has one form.
//
// Every error is an [*Error].
func (t *Token) VerifySignature(key *PublicKey) error {
	switch {
	case key == nil:
		return refuse(ReasonKey, "none given")
	case t.header.algorithm != key.algorithm:
		return refuse(ReasonAlgorithm, "not the key's")
	case t.header.keyID != "" && t.header.keyID != key.keyID:
		return refuse(ReasonKeyID, "not the key's")
	}
	return key.verify([]byte(t.signed), t.signature)
}

// VerifyPinned is [Token.Verify] with a key that the token brings along, in the member called name. It is believed
// because its thumbprint is pin, which the caller has from somewhere else, and which the header must name as well.
func (t *Token) VerifyPinned(name, pin string) (*strictjson.Object, error) {
	if t.header.keyID != pin {
		return nil, refuse(ReasonKeyID, "not the pinned key")
	}
	unproven, err := t.Unproven()
	if err != nil {
		return nil, err
	}
	jwk, ok := unproven.Claims.Object(name)
	if !ok {
		return nil, refuse(ReasonKey, "the token does not bring its key along in the member "+name)
	}
	key, err := ParsePublicKey(jwk)
	if err != nil {
		return nil, err
	}
	return t.Verify(key) // whose kid is its thumbprint
}

// Unproven reads the claims of a token whose key the caller does not have, such as one that it forwards.
// Nothing proves them. The header may be of any kind, and the payload of the widest [Form]. Every error is an [*Error].
func Unproven(compact string) (*strictjson.Object, error) {
	_, payload, _, err := split(compact, MaxForeignLength)
	if err != nil {
		return nil, err
	}
	decoded, err := decode(nil, payload)
	if err != nil {
		return nil, refuse(ReasonEncoding, "payload")
	}
	claims, _, err := strictjson.ReadWithin(
		string(decoded),
		strictjson.Limits{Members: MaxForeignMembers, CaseVariants: true},
	)
	if err != nil {
		return nil, &Error{Reason: ReasonClaims, Cause: err}
	}
	return claims, nil
}

// checkClaims reads a payload. The error is an [*Error] with [ReasonClaims].
func checkClaims(payload string) error {
	if _, err := strictjson.Read(payload); err != nil {
		return &Error{Reason: ReasonClaims, Cause: err}
	}
	return nil
}
