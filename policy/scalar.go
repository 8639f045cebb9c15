package policy

import (
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// Scalar is a typed value. Two of them are the same value exactly when they are equal.
type Scalar struct {
	// Kind is the type of the value.
	Kind ScalarKind
	// Text is the value of a string.
	Text string
	// Number is the value of a number.
	Number float64
	// Bool is the value of a boolean.
	Bool bool
}

// ScalarKind is the type of a [Scalar].
type ScalarKind int

// The types.
const (
	// A string.
	ScalarString ScalarKind = iota
	// A number.
	ScalarNumber
	// A boolean.
	ScalarBool
)

// String is the value as JSON writes it.
func (s Scalar) String() string {
	switch s.Kind {
	case ScalarNumber:
		return strconv.FormatFloat(s.Number, 'g', -1, 64)
	case ScalarBool:
		return strconv.FormatBool(s.Bool)
	case ScalarString:
	}
	return quote(s.Text)
}

func (r *reader) scalars(field string, stated []*structpb.Value) []Scalar {
	if len(stated) > maxRuleValues {
		r.wrong(field, "there are %d values; there must not be more than %d", len(stated), maxRuleValues)
		return nil
	}
	var values []Scalar
	for i, value := range stated {
		values = append(values, r.scalar(field+"["+strconv.Itoa(i)+"]", value))
	}
	return values
}

func (r *reader) scalar(field string, stated *structpb.Value) Scalar {
	switch value := stated.GetKind().(type) {
	case *structpb.Value_StringValue:
		return Scalar{Kind: ScalarString, Text: r.literal(field, sayAffix, value.StringValue)}
	case *structpb.Value_BoolValue:
		return Scalar{Kind: ScalarBool, Bool: value.BoolValue}
	case *structpb.Value_NumberValue:
		n := value.NumberValue
		if math.IsNaN(n) || math.Abs(n) > maxExactNumber {
			r.wrong(field, "%s is no number that claims can be compared with exactly; numbers go to 2^53-1, and larger ones are better strings",
				strconv.FormatFloat(n, 'g', -1, 64))
		}
		return Scalar{Kind: ScalarNumber, Number: n + 0} // -0 is 0, and prints like it
	default:
		r.wrong(field, "it is neither a string nor a number nor true or false; claims are compared with nothing else")
		return Scalar{}
	}
}

// unsplittable reports whether no word of a split string is the value.
func (s Scalar) unsplittable() bool {
	return s.Kind != ScalarString || s.Text == "" || hasSpace(s.Text)
}

func hasSpace(text string) bool { return strings.Contains(text, " ") }

// hasAffixes reports whether the value is a string with one of the prefixes and one of the suffixes, where there are
// any.
func (s Scalar) hasAffixes(prefixes, suffixes []string) bool {
	if len(prefixes)+len(suffixes) == 0 {
		return true
	}
	return s.Kind == ScalarString && (len(prefixes) == 0 || hasOne(s.Text, prefixes, strings.HasPrefix)) &&
		(len(suffixes) == 0 || hasOne(s.Text, suffixes, strings.HasSuffix))
}
