package jose

import "github.com/parley-rpc/parley/internal/strictjson"

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
