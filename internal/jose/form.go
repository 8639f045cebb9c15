package jose

import (
	"slices"

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
	// OtherHeaders ignores header members other than alg, kid and typ, but for those that change what is verified, and
	// allows every kid that a key of [ParseSetKey] may have.
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
		Types: slices.Concat(
			f.Types,
			g.Types,
		), AnyType: f.AnyType || g.AnyType, TypeVariants: f.TypeVariants || g.TypeVariants,
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

// allowsKeyID reports whether tokens with a kid are of the form.
func (f Form) allowsKeyID(kid string) bool {
	return usableKeyID(kid) || f.OtherHeaders && UsableSetKeyID(kid)
}
