package strictjson

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
)

// An object with the most members, of names that are slow to compare, costs as many looks at names as it has members,
// and a few more for the first ones.
func TestNamesAreReadInLinearWork(t *testing.T) {
	looks := func(members int, cased bool) int {
		var inner []string
		for i := range members {
			inner = append(inner, fmt.Sprintf(`"ſſſſſſ%03x":0`, i))
		}
		object := `{` + strings.Join(inner, ",") + `}`
		s := scanner{text: `{"o":` + object + `}`, limit: 512, cased: cased}
		if _, err := s.scan(); err != nil {
			t.Fatal(err)
		}
		outer := scanner{text: object, limit: 512, cased: cased}
		if _, err := outer.scan(); err != nil {
			t.Fatal(err)
		}
		if outer.comparisons != s.comparisons {
			t.Errorf("%d names cost %d looks outside and %d inside", members, outer.comparisons, s.comparisons)
		}
		return s.comparisons
	}
	for _, cased := range []bool{false, true} {
		const few = maxCompared * (maxCompared - 1) / 2 // pairs
		for _, members := range []int{64, 255, 256, 512} {
			if got, want := looks(members, cased), few+members; got != want {
				t.Errorf("%d names cost %d looks, want %d", members, got, want)
			}
		}
		if got := looks(maxCompared, cased); got != few {
			t.Errorf("%d names cost %d looks, want %d", maxCompared, got, few)
		}
	}
}

// A name is found again among many exactly where it is among few.
func TestDuplicatesAmongManyNames(t *testing.T) {
	for _, before := range []int{0, maxCompared - 2, maxCompared - 1, maxCompared, maxCompared + 1, 200} {
		var members []string
		for i := range before {
			members = append(members, fmt.Sprintf(`"m%d":{"a":1}`, i))
		}
		for pair, want := range map[[2]string]struct{ strict, cased, variants bool }{
			{"exp", "exp"}:       {true, true, false},
			{"exp", "EXP"}:       {true, false, true},
			{"k", "\u212a"}:      {true, false, true},
			{"iſs", "iSs"}:       {true, false, true},
			{"σ", "ς"}:           {true, false, true},
			{"é", "É"}:           {true, false, true},
			{"exp", "exq"}:       {false, false, false},
			{"ß", "ss"}:          {false, false, false},
			{"i", "\u0130"}:      {false, false, false},
			{"e\\u0078p", "exp"}: {true, true, false},
		} {
			all := append(append([]string{`"` + pair[0] + `":0`}, members...), `"`+pair[1]+`":0`)
			object := `{` + strings.Join(all, ",") + `}`
			sibling := `{` + strings.Join(all[1:], ",") + `}`
			for _, text := range []string{object, `{"o":[` + object + `]}`, `{"o":[` + sibling + `,` + object + `]}`} {
				strict := scanner{text: text, limit: 256}
				if _, err := strict.scan(); (err != nil) != want.strict {
					t.Errorf("%v behind %d: got %v, want a duplicate: %v", pair, before, err, want.strict)
				}
				cased := scanner{text: text, limit: 256, cased: true}
				if _, err := cased.scan(); (err != nil) != want.cased || cased.shape.CaseVariants != want.variants {
					t.Errorf("%v behind %d, cased: got %v, variants %v", pair, before, err, cased.shape.CaseVariants)
				}
			}
		}
	}
}

// Two characters have one fold exactly where strings.EqualFold takes them for one.
func TestFold(t *testing.T) {
	for r := range rune(unicode.MaxRune + 1) {
		next := unicode.SimpleFold(r)
		if foldRune(next) != foldRune(r) || !strings.EqualFold(string(r), string(foldRune(r))) {
			t.Fatalf("%U and %U fold to %U and %U", r, next, foldRune(r), foldRune(next))
		}
	}
}
