package jose

import (
	"slices"
	"strings"

	"github.com/parley-rpc/parley/internal/strictjson"
)

// Form says how far the form of a token may differ from that of Parley's own tokens. Zero stands for their own bounds.
type Form struct {
	// Types are the types that are allowed; "" is a header without typ.
	Types []string
	// AnyType allows every type, also none.
	AnyType bool
	// TypeVariants compares types as [SameType] does, and not byte for byte.
	TypeVariants bool
	// Length is that of the longest token, in bytes.
	Length int
	// Members is how many members an object of the payload may have.
	Members int
	// CaseVariants allows members of one object whose names differ in case alone.
	CaseVariants bool
	// OtherHeaders ignores header members other than alg, kid and typ, but for those that change what is verified.
	OtherHeaders bool
	// NoKeyID allows a header without kid.
	NoKeyID bool
}

// Widest returns the widest form. It is for those who explain a token, and not for those who accept one.
func Widest() Form {
	return Form{
		AnyType: true, Length: MaxForeignLength, Members: MaxForeignMembers, CaseVariants: true, OtherHeaders: true,
		NoKeyID: true,
	}
}

// Join returns the form of what either form allows.
func (f Form) Join(g Form) Form {
	f, g = f.bounded(), g.bounded()
	return Form{
		Types: slices.Concat(f.Types, g.Types), AnyType: f.AnyType || g.AnyType, TypeVariants: f.TypeVariants || g.TypeVariants,
		Length: max(f.Length, g.Length), Members: max(f.Members, g.Members),
		CaseVariants: f.CaseVariants || g.CaseVariants, OtherHeaders: f.OtherHeaders || g.OtherHeaders,
		NoKeyID: f.NoKeyID || g.NoKeyID,
	}
}

func (f Form) bounded() Form {
	if f.Length == 0 {
		f.Length = MaxTokenLength
	}
	if f.Members == 0 {
		f.Members = strictjson.MaxMembers
	}
	return f
}

// allows reports whether tokens of a type are of the form.
func (f Form) allows(typ string) bool {
	return f.AnyType || slices.Contains(f.Types, typ) ||
		f.TypeVariants && typ != "" && slices.ContainsFunc(f.Types, func(t string) bool { return SameType(t, typ) })
}

// Within returns nil when a token that was read by a wider form is of this form, too, as far as its header and its
// length go. The error is an [*Error].
func (t *Token) Within(f Form) error {
	f = f.bounded()
	switch {
	case t.length > f.Length:
		return tooLong(f.Length)
	case t.header.others && !f.OtherHeaders:
		return refuse(ReasonHeader, otherMember)
	case t.header.keyID == "" && !f.NoKeyID:
		return refuse(ReasonHeader, "kid is missing")
	case !f.allows(t.header.typ):
		return refuse(ReasonType, "not allowed here")
	}
	return nil
}

// Payload is the payload of a token, as it was read.
type Payload struct {
	// Claims are its members.
	Claims *strictjson.Object

	shape strictjson.Shape
}

// Within returns nil when a payload that was read by a wider form is of this form, too. The error is an [*Error].
func (p Payload) Within(f Form) error {
	f = f.bounded()
	switch {
	case p.shape.Members > f.Members:
		return refuse(ReasonClaims, "too many members")
	case p.shape.CaseVariants && !f.CaseVariants:
		return refuse(ReasonClaims, "duplicate member: two names differ in case alone")
	}
	return nil
}

// Members is the largest number of members of one object.
func (p Payload) Members() int { return p.shape.Members }

// CaseVariants reports whether names in one object differ in case alone.
func (p Payload) CaseVariants() bool { return p.shape.CaseVariants }

// Unproven reads the payload by the form that the token was read by. Nothing proves it before [Token.VerifySignature].
// The error is an [*Error].
func (t *Token) Unproven() (Payload, error) {
	claims, shape, err := strictjson.ReadWithin(t.payload, t.limits)
	if err != nil {
		return Payload{}, &Error{Reason: ReasonClaims, Cause: err}
	}
	return Payload{claims, shape}, nil
}

// hardHeader reports whether a header member of this name is refused whatever the form: it changes what is verified, or
// by which key (RFC 7515 section 4.1, RFC 7797, RFC 7516 section 4.1.3).
func hardHeader(name string) bool {
	return slices.ContainsFunc([]string{"crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "cty"},
		func(hard string) bool { return strings.EqualFold(hard, name) })
}

const otherMember = "a member other than alg, kid and typ"

// tooLong writes no number but its own: a forger must not make it cost more than the error.
func tooLong(most int) error {
	if most == MaxTokenLength {
		return refuse(ReasonSize, "longer than 8192 bytes")
	}
	return refuse(ReasonSize, "longer than its issuer may make them")
}
