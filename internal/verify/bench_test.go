package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/profile"
)

// groups is a token of about 11 KB with 200 groups, such as Entra makes of an employee's.
func (s *signatory) groups() string {
	var groups []string
	for n := range 200 {
		groups = append(groups, fmt.Sprintf(`"%08x-1111-2222-3333-%012x"`, n, n))
	}
	return s.sign(
		`{"alg":"EdDSA","kid":"`+kid+`","typ":"JWT"}`,
		timely(`{"iss":"`+login+`","sub":"alice","aud":"`+payments+
			`","iat":NOW0,"exp":NOW3600,"jti":"7","groups":[`+strings.Join(groups, ",")+`]}`),
	)
}

func largeTokens() profile.Profile {
	return profile.Profile{Types: []string{"JWT"}, MaxLength: 16 << 10, ScopeClaims: []string{"groups"}}
}

// A token of 200 groups costs as many allocations as any other, and one for the list of them.
func TestLargeTokenAllocations(t *testing.T) {
	s := newSignatory(t)
	p := s.profile(largeTokens())
	small := s.sign(
		`{"alg":"EdDSA","kid":"`+kid+`","typ":"JWT"}`,
		timely(`{"iss":"`+login+`","sub":"alice","aud":"`+payments+
			`","iat":NOW0,"exp":NOW3600,"jti":"7","groups":["a"]}`),
	)
	allocations := func(compact string) float64 {
		return testing.AllocsPerRun(20, func() {
			token, err := s.verdict(t, p, compact)
			if err != nil {
				t.Fatal(err)
			}
			if scopes, _ := token.Scopes(); len(scopes) != 1 && len(scopes) != 200 {
				t.Fatalf("%d scopes", len(scopes))
			}
		})
	}
	few, many := allocations(small), allocations(s.groups())
	if many > few+2 { // the hash of a long text is not made on the stack
		t.Errorf("a token of 200 groups costs %v allocations, a small one %v", many, few)
	}
}

// BenchmarkLargeToken is the check of such a token that no cache knows.
func BenchmarkLargeToken(b *testing.B) {
	s := newSignatory(b)
	p := s.profile(largeTokens())
	compact := s.groups()

	b.ReportAllocs()
	for b.Loop() {
		token, err := s.verdict(b, p, compact)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := token.Scopes(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(compact)), "bytes")
}

// BenchmarkLargeForgery is what the largest token costs whose signature does not hold, by an issuer that allows it all.
func BenchmarkLargeForgery(b *testing.B) {
	s := newSignatory(b)
	p := s.profile(profile.Profile{
		OtherHeaders: true, MaxLength: profile.MaxLength, MaxMembers: profile.MaxMembers, CaseVariants: true,
	})
	var objects []string
	for n := range 9 {
		var members []string
		for i := range 255 {
			members = append(members, fmt.Sprintf(`"a%02x":0`, i))
		}
		objects = append(objects, fmt.Sprintf(`"%d":{%s}`, n, strings.Join(members, ",")))
	}
	compact := s.sign(`{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"}`, `{`+strings.Join(objects[:8], ",")+`}`)
	compact = compact[:len(compact)-4] + "AAAA"
	b.ReportAllocs()
	for b.Loop() {
		if _, findings := verify.Explain(b.Context(), []*verify.Profile{p}, compact); len(findings) == 0 {
			b.Fatal("nothing was looked at")
		}
	}
}
