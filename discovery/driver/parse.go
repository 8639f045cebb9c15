package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxText is the maximum size of the JSON form of one instance.
const maxText = 64 << 10

// Text returns the JSON form of an instance, which [Parse] reads. It fails if the form has more than 64 KiB, because
// some engines refuse larger values.
func (in Instance) Text() ([]byte, error) {
	text, err := json.Marshal(in)
	if err == nil && len(text) > maxText {
		err = fmt.Errorf(
			"instance %q of %q: its JSON form has %d bytes; want at most %d: shorten its metadata",
			in.ID,
			in.Service,
			len(text),
			maxText,
		)
	}
	return text, err
}

// Parse reads the JSON form of an instance. It ignores fields that [Instance] does not have, so that newer programs can
// add fields. It fails if [Instance.Check] refuses the instance, and if there is text after the JSON value.
func Parse(text []byte) (Instance, error) {
	if len(text) > maxText {
		return Instance{}, fmt.Errorf("an instance of %d bytes; want at most %d", len(text), maxText)
	}
	var in Instance
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&in); err != nil {
		return Instance{}, fmt.Errorf("the text is not an instance in JSON: %w", err)
	}
	if decoder.More() {
		return Instance{}, errors.New("the text is not an instance in JSON: there is text after it")
	}
	return in, in.Check()
}
