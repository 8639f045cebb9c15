package protoyaml

import (
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/parley-rpc/parley/internal/protoyaml/nearest"
)

// wanted names what the value of a field must be.
func wanted(field protoreflect.FieldDescriptor) string {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return "true or false"
	case protoreflect.StringKind:
		return "a string"
	case protoreflect.BytesKind:
		return "a string in base64"
	case protoreflect.EnumKind:
		return "one of " + list(choices(field.Enum()))
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "a number"
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if isValue(field.Message()) {
			return "a string, a number, or true or false"
		}
		return "a duration like 250ms"
	default:
		return "a whole number"
	}
}

// parse reads the text of a scalar, or says what is wrong with it.
func parse(field protoreflect.FieldDescriptor, text string) (protoreflect.Value, string) {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(text == "true"), unless(text == "true" || text == "false", field, text)
	case protoreflect.StringKind:
		if !utf8.ValidString(text) {
			return protoreflect.Value{}, "the value is not UTF-8"
		}
		return protoreflect.ValueOfString(text), ""
	case protoreflect.BytesKind:
		data, err := base64.StdEncoding.Strict().DecodeString(text)
		return protoreflect.ValueOfBytes(data), unless(err == nil, field, text)
	case protoreflect.EnumKind:
		return parseEnum(field.Enum(), text)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, problem := parseInt(field, text, 32)
		return protoreflect.ValueOfInt32(int32(n)), problem //nolint:gosec // 32 bits
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, problem := parseInt(field, text, 64)
		return protoreflect.ValueOfInt64(n), problem
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, problem := parseUint(field, text, 32)
		return protoreflect.ValueOfUint32(uint32(n)), problem //nolint:gosec // 32 bits
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, problem := parseUint(field, text, 64)
		return protoreflect.ValueOfUint64(n), problem
	case protoreflect.FloatKind:
		f, problem := parseFloat(field, text, 32)
		return protoreflect.ValueOfFloat32(float32(f)), problem
	case protoreflect.DoubleKind:
		f, problem := parseFloat(field, text, 64)
		return protoreflect.ValueOfFloat64(f), problem
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if isValue(field.Message()) {
			return protoreflect.ValueOfMessage(structpb.NewStringValue(text).ProtoReflect()), ""
		}
		d, err := time.ParseDuration(text)
		return protoreflect.ValueOfMessage(durationpb.New(d).ProtoReflect()), unless(err == nil, field, text)
	default:
		return protoreflect.Value{}, "it cannot be stated here"
	}
}

func unless(good bool, field protoreflect.FieldDescriptor, text string) string {
	if good {
		return ""
	}
	return "want " + wanted(field) + ", got " + show(text)
}

// parseInt reads a decimal number. YAML's other notations are refused: 010 is eight there.
func parseInt(field protoreflect.FieldDescriptor, text string, bits int) (int64, string) {
	if !decimal(text) {
		return 0, unless(false, field, text)
	}
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return 0, outOfRange(
			text,
			strconv.FormatInt(math.MinInt64>>(64-bits), 10),
			strconv.FormatInt(math.MaxInt64>>(64-bits), 10),
		)
	}
	return n, ""
}

func parseUint(field protoreflect.FieldDescriptor, text string, bits int) (uint64, string) {
	if !decimal(text) {
		return 0, unless(false, field, text)
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, outOfRange(text, "0", strconv.FormatUint(math.MaxUint64>>(64-bits), 10))
	}
	return n, ""
}

// parseFloat refuses infinities and NaN.
func parseFloat(field protoreflect.FieldDescriptor, text string, bits int) (float64, string) {
	if strings.Trim(text, "0123456789+-.eE") != "" {
		return 0, unless(false, field, text)
	}
	f, err := strconv.ParseFloat(text, bits)
	if errors.Is(err, strconv.ErrRange) {
		return 0, show(text) + " is out of range; it is too large"
	}
	return f, unless(err == nil, field, text)
}

func outOfRange(text, least, most string) string {
	return show(text) + " is out of range; it must be " + least + " to " + most
}

// decimal reports whether text is a whole number as people write it.
func decimal(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits != "0" && digits[0] == '0' {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

func parseEnum(enum protoreflect.EnumDescriptor, text string) (protoreflect.Value, string) {
	short := shortNames(enum)
	for i, name := range short {
		if value := enum.Values().Get(i); text == name || text == string(value.Name()) {
			return protoreflect.ValueOfEnum(value.Number()), ""
		}
	}
	problem := "want one of " + list(choices(enum)) + ", got " + show(text)
	if near := nearest.Of(text, choices(enum)); near != "" {
		problem += "; did you mean " + strconv.Quote(near) + "?"
	}
	return protoreflect.Value{}, problem
}

// choices are the short names worth offering: without "unspecified", which is the same as stating nothing.
func choices(enum protoreflect.EnumDescriptor) []string {
	return slices.DeleteFunc(shortNames(enum), func(name string) bool { return name == "unspecified" })
}

// shortNames are the values of an enum in lower case and without the enum's name in front: "self" for ENROLL_SELF of
// Enroll. They stand in the order of the values.
func shortNames(enum protoreflect.EnumDescriptor) []string {
	prefix := upperSnake(string(enum.Name())) + "_"
	names := make([]string, 0, enum.Values().Len())
	for i := range enum.Values().Len() {
		name := string(enum.Values().Get(i).Name())
		names = append(names, strings.ToLower(strings.TrimPrefix(name, prefix)))
	}
	return names
}

// upperSnake writes ChannelMode as CHANNEL_MODE.
func upperSnake(name string) string {
	var text strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			text.WriteByte('_')
		}
		text.WriteRune(r)
	}
	return strings.ToUpper(text.String())
}

// parseValue reads a value whose kind is that of its YAML tag. Booleans and numbers are written as anywhere else.
func parseValue(tag, text string) (protoreflect.Value, string) {
	value := structpb.NewStringValue(text)
	switch tag {
	case boolTag:
		if text != "true" && text != "false" {
			return protoreflect.Value{}, "want true or false, got " + show(text) + "; put it in quotes if it is a string"
		}
		value = structpb.NewBoolValue(text == "true")
	case intTag, floatTag:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || strings.Trim(text, "0123456789+-.eE") != "" || tag == intTag && !decimal(text) {
			return protoreflect.Value{}, "want a decimal number, got " + show(text) + "; put it in quotes if it is a string"
		}
		value = structpb.NewNumberValue(n)
	}
	return protoreflect.ValueOfMessage(value.ProtoReflect()), ""
}

// isScalar reports whether a message is written as a scalar.
func isScalar(m protoreflect.MessageDescriptor) bool {
	return m.FullName() == (*durationpb.Duration)(nil).ProtoReflect().Descriptor().FullName() || isValue(m)
}

// isValue reports whether a message is google.protobuf.Value, which here is a string, a number or a boolean.
func isValue(m protoreflect.MessageDescriptor) bool {
	return m.FullName() == (*structpb.Value)(nil).ProtoReflect().Descriptor().FullName()
}
