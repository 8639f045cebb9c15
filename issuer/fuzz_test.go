package issuer_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/issuer"
)

// FuzzForm asks that a form is read as net/url reads it, or not at all.
func FuzzForm(f *testing.F) {
	for _, body := range []string{"", "a=b", "a=b&a=c", "a=%00", "a=%ff", "a=+b&c", "%zz", "a;b", "=x", "&&&", "a=&b=1"} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := issuer.ParseForm(body)
		if err != nil {
			return
		}
		want, err := url.ParseQuery(body)
		if err != nil {
			t.Fatalf("%q is no form", body)
		}
		for name, values := range want {
			if len(values) != 1 || got[name] != values[0] || strings.ContainsRune(values[0], 0) {
				t.Fatalf("%q: %q is %q, want %q", body, name, got[name], values)
			}
		}
		if len(got) > len(want) {
			t.Fatalf("%q: %v", body, got)
		}
	})
}

// FuzzAssertion asks that nobody logs in whom the client's key does not prove, whatever the assertion, and that every
// refusal is the same, unless the form itself is none.
func FuzzAssertion(f *testing.F) {
	f.Add("a.b.c")
	f.Add("")
	f.Add(sign(f, newKey(f), assertionType, honest(edge)))
	f.Add(sign(f, newKey(f), assertionType, claims{"iss": "' OR 1=1 --"}))
	f.Add(sign(f, newKey(f), "at+jwt", alice()))
	s := newShop(f)
	f.Fuzz(func(t *testing.T, assertion string) {
		s := shop{t: t, id: s.id}
		form := s.formWith(assertion)
		if _, err := issuer.ParseForm(form.Encode()); err != nil || len(form.Encode()) > 32<<10 {
			return
		}
		s.refuses(t, s.post(form), 400, "invalid_client")
	})
}

// FuzzSubjectToken asks the same of a user's token.
func FuzzSubjectToken(f *testing.F) {
	f.Add("a.b.c")
	f.Add("x")
	f.Add(sign(f, newKey(f), "at+jwt", alice()))
	s := newShop(f)
	f.Fuzz(func(t *testing.T, user string) {
		if issuer.VerifyUser(t.Context(), s.id, user, edge) == nil {
			t.Errorf("%q stands for a user", user)
		}
	})
}
