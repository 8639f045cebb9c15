package protoyaml_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/parley-rpc/parley/internal/protoyaml"
)

// kinds describes a message with the kinds of field that the configuration does not have.
const kinds = `
name: "kinds.proto" syntax: "proto3"
message_type {
  name: "Kinds"
  field {name: "i32" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL}
  field {name: "i64" number: 2 type: TYPE_SINT64 label: LABEL_OPTIONAL}
  field {name: "u64" number: 3 type: TYPE_FIXED64 label: LABEL_OPTIONAL}
  field {name: "f32" number: 4 type: TYPE_FLOAT label: LABEL_OPTIONAL}
  field {name: "data" number: 5 type: TYPE_BYTES label: LABEL_OPTIONAL}
  field {name: "one" number: 6 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0}
  field {name: "other" number: 7 type: TYPE_STRING label: LABEL_OPTIONAL oneof_index: 0}
  field {name: "numbers" number: 8 type: TYPE_MESSAGE type_name: ".Kinds.NumbersEntry" label: LABEL_REPEATED}
  field {name: "inner" number: 9 type: TYPE_MESSAGE type_name: ".Kinds" label: LABEL_REPEATED}
  oneof_decl {name: "either"}
  nested_type {
    name: "NumbersEntry" options {map_entry: true}
    field {name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL}
    field {name: "value" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL}
  }
}`

func newKinds(t *testing.T) *dynamicpb.Message {
	t.Helper()
	var described descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(kinds), &described); err != nil {
		t.Fatal(err)
	}
	file, err := protodesc.NewFile(&described, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dynamicpb.NewMessage(file.Messages().ByName("Kinds"))
}

func TestOtherKinds(t *testing.T) {
	for _, test := range []struct{ text, want, err string }{
		{"i32: -2147483648\ni64: 9223372036854775807\nu64: 18446744073709551615\nf32: -1.5e3", `i32: -2147483648 i64: 9223372036854775807 u64: 18446744073709551615 f32: -1500`, ""},
		{"data: aGk=", `data: "hi"`, ""},
		{"other: x", `other: "x"`, ""},
		{"numbers: {a: 1, 'b c': -2}", `numbers {key: "a" value: 1} numbers {key: "b c" value: -2}`, ""},
		{"inner: [{i32: 1}, {}]", `inner {i32: 1} inner {}`, ""},
		{"i32: 2147483648", "", `f:1:6: i32: "2147483648" is out of range; it must be -2147483648 to 2147483647`},
		{"i64: -9223372036854775809", "", `f:1:6: i64: "-9223372036854775809" is out of range; it must be -9223372036854775808 to 9223372036854775807`},
		{"u64: 18446744073709551616", "", `f:1:6: u64: "18446744073709551616" is out of range; it must be 0 to 18446744073709551615`},
		{"f32: 1e39", "", `f:1:6: f32: "1e39" is out of range; it is too large`},
		{"data: 'a b'", "", `f:1:7: data: want a string in base64, got "a b"`},
		{"one: x\nother: y", "", `f:2:1: other: it excludes "one", which is stated as well; keep one of them`},
		{"inner: [{i32: 1}, {i23: 2}]", "", `f:1:20: inner[1]: unknown key "i23"; did you mean "i32"?`},
	} {
		got := newKinds(t)
		want := got.Type().New().Interface()
		_, err := protoyaml.Unmarshal("f", []byte(test.text), got)
		if text := message(err); text != test.err {
			t.Errorf("%s: got %s, want %s", test.text, text, test.err)
			continue
		}
		if err := prototext.Unmarshal([]byte(test.want), want); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", test.text, got, want)
		}
	}
}

func TestEnvironmentOfOtherKinds(t *testing.T) {
	m := newKinds(t)
	m.Mutable(m.Descriptor().Fields().ByName("numbers")).Map().Set(protoreflect.ValueOfString("a-b").MapKey(), protoreflect.ValueOfInt32(1))
	if _, err := protoyaml.ApplyEnv("X", []string{"X_NUMBERS_A_B=7", "X_I64=-3"}, m); err != nil {
		t.Fatal(err)
	}
	want := m.Type().New().Interface()
	if err := prototext.Unmarshal([]byte(`i64: -3 numbers {key: "a-b" value: 7}`), want); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(m, want) {
		t.Errorf("got %v, want %v", m, want)
	}
	_, err := protoyaml.ApplyEnv("X", []string{"X_INNER_0_I32=1", "X_I23=1"}, m)
	if got, want := message(err), "env X_I23: no value has this name; did you mean X_I32?\nenv X_INNER_0_I32: inner: this is a section, not a value; name a value in it, or state it in the file"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
