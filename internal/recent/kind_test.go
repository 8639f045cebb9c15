package recent_test

import (
	"testing"

	"github.com/parley-rpc/parley/internal/recent"
)

func TestKindOfACause(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"jose: typ: not allowed here", "jose: typ: not allowed here", true},
		{"jose: typ: not allowed here", "jose: signature: does not hold", false},
		{"jti is missing", "aud is not this server", false},
		{`iss is "https://a.example", which is no issuer`, `iss is "https://b.example", which is no issuer`, true},
		{`iss is "a\"b", which is no issuer`, `iss is "b", which is no issuer`, true},
		{`iss is "a"... and so on`, `iss is "b"... and so on`, true},
		{`iss is "a", which is no issuer`, `sub is "a", which is no issuer`, false},
		{"read tcp 10.0.0.1:4711: reset", "read tcp 10.0.0.1:4712: reset", true},
		{"7 values of authorization", "12 values of authorization", true},
		{"", "a", false},
	} {
		if same := recent.Kind(test.a) == recent.Kind(test.b); same != test.same {
			t.Errorf("%s | %s: one kind: %v, want %v", test.a, test.b, same, test.same)
		}
	}
	cause := `iss is "https://a.example", which is no issuer that is accepted here`
	if n := testing.AllocsPerRun(10, func() { _ = recent.Kind(cause) }); n > 0 {
		t.Errorf("a kind costs %v allocations", n)
	}
}
