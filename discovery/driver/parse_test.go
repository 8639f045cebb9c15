package driver_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/discovery/driver"
)

func TestTextIsParsed(t *testing.T) {
	in := driver.Instance{
		ID: "a", Service: "payments", Addresses: []string{"10.0.0.7:8443", "[2001:db8::7]:8443"}, Zone: "b", Weight: 3,
		Draining: true, Version: "v1", Metadata: map[string]string{"text": "zwölf = 12; \"quoted\" <&>"},
	}
	text, err := in.Text()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := driver.Parse(text); err != nil || !got.Equal(in) {
		t.Errorf("%s becomes %+v, %v; want %+v", text, got, err, in)
	}
}

func TestWhatIsNoInstance(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "not an instance in JSON"},
		{"another type", `[]`, "not an instance in JSON"},
		{"two values", `{"id":"a","service":"payments","addresses":["a:1"]}{}`, "there is text after it"},
		{"no address", `{"id":"a","service":"payments"}`, "no address"},
		{"a bad ID", `{"id":"a/b","service":"payments","addresses":["a:1"]}`, `ID "a/b"`},
		{"a bad service", `{"id":"a","service":"pay/ments","addresses":["a:1"]}`, `service name "pay/ments"`},
		{"a negative weight", `{"id":"a","service":"payments","addresses":["a:1"],"weight":-1}`, "weight"},
		{"too much", strings.Repeat(" ", 64<<10) + "{}", "at most 65536"},
	} {
		if _, err := driver.Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want it to say %q", tt.name, err, tt.want)
		}
	}
	in := driver.Instance{
		ID:        "a",
		Service:   "payments",
		Addresses: []string{"a:1"},
		Metadata:  map[string]string{"x": strings.Repeat("x", 64<<10)},
	}
	if _, err := in.Text(); err == nil || !strings.Contains(err.Error(), "shorten its metadata") {
		t.Errorf("Text of a huge instance: %v; want it to say what to shorten", err)
	}
}

func TestFieldsOfNewerProgramsAreOverlooked(t *testing.T) {
	if _, err := driver.Parse([]byte(`{"id":"a","service":"payments","addresses":["a:1"],"mood":"good"}`)); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"a","service":"payments","addresses":["a:1"],"metadata":{"x":"y"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		in, err := driver.Parse(text)
		if err != nil {
			return
		}
		again, err := in.Text()
		if err != nil {
			return // escaping can make it too long
		}
		if got, err := driver.Parse(again); err != nil || !got.Equal(in) {
			t.Errorf("%q is read as %+v and written as %q, which is read as %+v, %v", text, in, again, got, err)
		}
	})
}
