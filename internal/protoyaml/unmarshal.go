package protoyaml

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Unmarshal reads one YAML document into m, whose old content goes. An empty file is an empty message. File is the name
// for mistakes and places. Unmarshal returns where each value is stated.
//
// A message cannot tell an empty list from one that is not stated. So an empty list is a mistake, except in the fields
// mayBeEmpty, where the caller asks the Places which of the two it is.
//
// Its error joins a [Mistake] for everything that is wrong; m is then left as it was. A file may have 1 MiB and nest 32
// deep.
func Unmarshal(file string, data []byte, m proto.Message, mayBeEmpty ...protoreflect.FullName) (Places, error) {
	d := &decoder{file: file, mayBeEmpty: mayBeEmpty}
	root := d.parse(data)
	read := m.ProtoReflect().New()
	if root != nil {
		d.document(root, read)
	}
	if err := d.mistakes.join(); err != nil {
		return Places{}, err
	}
	proto.Reset(m)
	read.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		m.ProtoReflect().Set(field, value)
		return true
	})
	return Places{&d.root}, nil
}

// parse returns the root of the only document, or nil when there is none or it is no YAML.
func (d *decoder) parse(data []byte) *yaml.Node {
	switch {
	case len(data) > maxFileBytes:
		d.mistakes.add(
			d.file,
			"",
			"the file has "+strconv.Itoa(len(data))+" bytes; it must not have more than "+strconv.Itoa(maxFileBytes),
		)
		return nil
	case !utf8.Valid(data):
		d.mistakes.add(d.file, "", "the file is not UTF-8; save it as UTF-8")
		return nil
	}
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var document, further yaml.Node
	switch err := reader.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := reader.Decode(&further); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
	default:
		d.wrong(&further, nil, "a second document begins; write one document and no further \"---\"")
	}
	return document.Content[0]
}

// syntax reports an error of the YAML library, "yaml: line 3: what is wrong". Its lines are short by one for some
// errors.
func (d *decoder) syntax(err error) {
	place, problem := d.file, strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(problem, "line "); ok {
		if line, what, ok := strings.Cut(rest, ": "); ok {
			place, problem = d.file+":"+line, what
		}
	}
	d.mistakes.add(place, "", "this is no YAML, here or on the next line: "+problem)
}
