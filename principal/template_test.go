package principal_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/rounds"
	"github.com/parley-rpc/parley/principal"
)

func template(t testing.TB, text string) *principal.Template {
	t.Helper()
	made, err := principal.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func claimsOf(t testing.TB, object string) principal.Claims {
	t.Helper()
	claims, err := principal.ParseClaims([]byte(object))
	if err != nil {
		t.Fatal(err)
	}
	return claims
}

// What is no template, and why.
func TestParseTemplateMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "does not begin with spiffe://",
		"{azp}":                          "does not begin with spiffe://",
		"spiffe://{tid}/a":               "its trust domain is a claim, so that the issuer could name workloads of any",
		"spiffe://{a/b}/c":               "its trust domain is a claim",
		"spiffe://shop.{azp}/a":          "its trust domain is a claim",
		"spiffe://{azp}":                 "its trust domain is a claim",
		"spiffe://shop.example":          "names no service",
		"spiffe://shop.example/":         "names no service",
		"spiffe://shop.example/orders":   "has no claim in braces",
		"spiffe://shop.example/{azp}/":   "ends in a slash",
		"spiffe://shop.example//{azp}":   "empty segment",
		"spiffe://shop.example/../{azp}": `segment "." or ".."`,
		"spiffe://shop.example/{a}-{b}": "has two claims, so that different values could " +
			"make one ID",
		"spiffe://shop.example/{a}{b}":                             "has two claims",
		"spiffe://shop.example/{azp":                               "a brace that nothing closes",
		"spiffe://shop.example/azp}":                               "not one of A-Z",
		"spiffe://shop.example/{a}}":                               "not one of A-Z",
		"spiffe://shop.example/{{a}}":                              "not one of A-Z",
		"spiffe://shop.example/{}":                                 `claim "": it is empty`,
		"spiffe://shop.example/{a>}":                               "one of its names is empty",
		"spiffe://shop.example/{>a}":                               "one of its names is empty",
		"spiffe://shop.example/{a..b}":                             "one of its names is empty",
		"spiffe://shop.example/{.a}":                               "one of its names is empty",
		"spiffe://shop.example/{a.b.c.d.e.f.g}":                    `more than 5 dots; write ">"`,
		"spiffe://shop.example/{1>2>3>4>5>6>7>8>9}":                "at most 8 deep",
		"spiffe://shop.example/{a b}":                              "names of claims must not have",
		"spiffe://shop.example/{*}":                                "names of claims must not have",
		"spiffe://shop.example/{\u00e4}":                           "names of claims must not have",
		"spiffe://shop.example/{azp}*":                             "not one of A-Z",
		"spiffe://shop.example/*/{azp}":                            "not one of A-Z",
		"spiffe://shop.example/%2e/{azp}":                          "not one of A-Z",
		"spiffe://shop.example/{azp}?":                             "not one of A-Z",
		"spiffe://Shop.example/{azp}":                              "byte 0 is not one of",
		"spiffe://shop.example/{" + strings.Repeat("a", 257) + "}": "longer than 256 bytes",
	} {
		if made, err := principal.ParseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want %q", text, made, err, want)
		}
	}
}

// What a template makes of the claims of a token, the attempts to make it something else among them.
func TestTemplateID(t *testing.T) {
	const (
		byPath = "spiffe://shop.example/ns/{kubernetes.io>namespace}/sa/{kubernetes.io>serviceaccount>name}"
		byDots = "spiffe://shop.example/ns/{kubernetes.io.namespace}/sa/{kubernetes.io.serviceaccount.name}"
		token  = `{"kubernetes.io":{"namespace":"pay","serviceaccount":{"name":"api"}}}`
	)
	namespace := func(value string) string {
		return `{"kubernetes.io":{"namespace":` + value + `,"serviceaccount":{"name":"api"}}}`
	}
	for name, test := range map[string]struct {
		template, claims string
		want             string // the ID
		says             string // the error
	}{
		"nested":            {byPath, token, "spiffe://shop.example/ns/pay/sa/api", ""},
		"nested, with dots": {byDots, token, "spiffe://shop.example/ns/pay/sa/api", ""},
		"one": {
			"spiffe://shop.example/{azp}",
			`{"azp":"orders"}`,
			"spiffe://shop.example/orders",
			"",
		},
		"a part of a segment": {
			"spiffe://shop.example/svc-{azp}.v1",
			`{"azp":"orders"}`,
			"spiffe://shop.example/svc-orders.v1",
			"",
		},
		"a name that is a URL": {
			"spiffe://shop.example/{https://shop.example/team}/x",
			`{"https://shop.example/team":"a"}`,
			"spiffe://shop.example/a/x",
			"",
		},
		"the same claim twice": {"spiffe://shop.example/{a}/{a}", `{"a":"x"}`, "spiffe://shop.example/x/x", ""},
		"escaped in JSON": {
			"spiffe://shop.example/{azp}",
			`{"azp":"\u006frders"}`,
			"spiffe://shop.example/orders",
			"",
		},
		"capitals stay": {
			"spiffe://shop.example/{azp}",
			`{"azp":"Orders"}`,
			"spiffe://shop.example/Orders",
			"",
		},
		"missing": {byPath, `{}`, "", "claim kubernetes.io>namespace is missing"},
		"null":    {byPath, namespace("null"), "", "is missing"},
		"a part is missing": {
			byPath,
			`{"kubernetes.io":{"namespace":"pay"}}`,
			"",
			"claim kubernetes.io>serviceaccount>name is missing",
		},
		"an array":                     {byPath, namespace(`["pay"]`), "", "is no string"},
		"a number":                     {byPath, namespace(`7`), "", "is no string"},
		"true":                         {byPath, namespace(`true`), "", "is no string"},
		"an object":                    {byPath, namespace(`{"name":"pay"}`), "", "is no string"},
		"a path through a string":      {byPath, `{"kubernetes.io":"pay"}`, "", "is missing"},
		"empty":                        {byPath, namespace(`""`), "", "cannot be a part of an ID"},
		"a slash":                      {byPath, namespace(`"pay/sa/admin"`), "", "cannot be a part of an ID"},
		"a slash at the end":           {byPath, namespace(`"pay/"`), "", "cannot be a part of an ID"},
		"a dot":                        {byPath, namespace(`"."`), "", "cannot be a part of an ID"},
		"two dots":                     {byPath, namespace(`".."`), "", "cannot be a part of an ID"},
		"dots that a suffix completes": {"spiffe://shop.example/{a}.", `{"a":"."}`, "", "cannot be a part of an ID"},
		"up and away":                  {byPath, namespace(`"../../evil.example"`), "", "cannot be a part of an ID"},
		"percent":                      {byPath, namespace(`"pay%2fadmin"`), "", "cannot be a part of an ID"},
		"a look-alike":                 {byPath, namespace(`"p\u0430y"`), "", "cannot be a part of an ID"},
		"full width":                   {byPath, namespace(`"\uff50ay"`), "", "cannot be a part of an ID"},
		"a space":                      {byPath, namespace(`"pay "`), "", "cannot be a part of an ID"},
		"a newline":                    {byPath, namespace(`"pay\n"`), "", "cannot be a part of an ID"},
		"a tab":                        {byPath, namespace(`"\tpay"`), "", "cannot be a part of an ID"},
		"a colon":                      {byPath, namespace(`"system:pay"`), "", "cannot be a part of an ID"},
		"a query":                      {byPath, namespace(`"pay?x"`), "", "cannot be a part of an ID"},
		"a template as value":          {byPath, namespace(`"{azp}"`), "", "cannot be a part of an ID"},
		"a star as value":              {byPath, namespace(`"*"`), "", "cannot be a part of an ID"},
		"a backslash":                  {byPath, namespace(`"pay\\admin"`), "", "cannot be a part of an ID"},
		"too long":                     {byPath, namespace(`"` + strings.Repeat("a", 2048) + `"`), "", "make no ID"},
		"the name in other case":       {"spiffe://shop.example/{azp}", `{"AZP":"orders"}`, "", "is missing"},
		"a dotted name beside its claim": {
			byDots,
			`{"kubernetes.io":{"namespace":"pay","serviceaccount":{"name":"api"}},"kubernetes":{"io":{"namespace":"admin"}}}`,
			"",
			"is in two places",
		},
		"a flat name beside its claim": {
			byDots,
			`{"kubernetes.io":{"namespace":"pay","serviceaccount":{"name":"api"}},"kubernetes.io.namespace":"admin"}`,
			"",
			"is in two places",
		},
		"a flat name beside a parent that is null": {
			byDots,
			`{"kubernetes.io":null,"kubernetes.io.namespace":"pay","kubernetes.io.serviceaccount.name":"api"}`,
			"",
			"in a second place",
		},
		"a flat name beside a parent that is a list": {
			byDots,
			`{"kubernetes.io":[],"kubernetes.io.namespace":"pay","kubernetes.io.serviceaccount.name":"api"}`,
			"",
			"in a second place",
		},
		"a flat name beside a parent that is a string": {
			byDots,
			`{"kubernetes.io":"x","kubernetes.io.namespace":"pay","kubernetes.io.serviceaccount.name":"api"}`,
			"",
			"in a second place",
		},
		"a flat name beside a claim that is null": {
			byDots,
			`{"kubernetes.io":{"namespace":null},"kubernetes.io.namespace":"pay","kubernetes.io.serviceaccount.name":"api"}`,
			"",
			"in a second place",
		},
		"flat names alone": {
			byDots,
			`{"kubernetes.io.namespace":"pay","kubernetes.io.serviceaccount.name":"api"}`,
			"spiffe://shop.example/ns/pay/sa/api",
			"",
		},
		"a parent that is null": {byDots, `{"kubernetes.io":null}`, "", "is missing"},
		"another place, by path": {
			byPath,
			`{"kubernetes.io":{"namespace":"pay","serviceaccount":{"name":"api"}},"kubernetes":{"io":{"namespace":"admin"}}}`,
			"spiffe://shop.example/ns/pay/sa/api",
			"",
		},
	} {
		id, err := template(t, test.template).ID(claimsOf(t, test.claims))
		if id.String() != test.want || (err == nil) != (test.says == "") ||
			err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %q, %v; want %q, %q", name, id, err, test.want, test.says)
		}
		if err != nil && strings.Contains(err.Error(), "admin") {
			t.Errorf("%s: the error says what the token holds: %v", name, err)
		}
	}
}

// Which sets of IDs have one in common is computed, not guessed.
func TestTemplateOverlaps(t *testing.T) {
	const shop = "spiffe://shop.example/"
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{shop + "{a}", shop + "{b}", true},
		{shop + "{a}", shop + "orders", true},
		{shop + "{a}", shop + "ns/orders", false},
		{shop + "{a}", "spiffe://shop2.example/{a}", false},
		{shop + "{a}", shop + "*", true},
		{shop + "{a}", shop + "x/*", false},
		{shop + "x/{a}", shop + "x/*", true},
		{shop + "x/{a}/y", shop + "x/*", true},
		{shop + "x/{a}", shop + "y/*", false},
		{shop + "{a}/{b}", shop + "pay/*", true},
		{shop + "svc-{a}", shop + "svc/*", false},
		{shop + "svc-{a}/b", shop + "svc-x/*", true},
		{shop + "ns/{a}/sa/{b}", shop + "ns/pay/sa/{c}", true},
		{shop + "ns/{a}/sa/{b}", shop + "{c}/pay/{d}/api", true},
		{shop + "ns/{a}/sa/{b}", shop + "ns/{a}", false},
		{shop + "ns/{a}/sa", shop + "ns/{a}/svc", false},
		{shop + "a-{a}", shop + "b-{a}", false},
		{shop + "a-{a}", shop + "a-b-{a}", true},
		{shop + "{a}-x", shop + "{a}-y", false},
		{shop + "{a}-x", shop + "{a}-y-x", true},
		{shop + "a-{a}", shop + "{a}-x", true},
		{shop + "a-{a}-x", shop + "a-x", false},
		{shop + "a-{a}", shop + "a-", false},
		{shop + "a{a}", shop + "a.", false},
		{shop + "{a}", shop + "...", false},
		{shop + "Pay-{a}", shop + "pay-{a}", false},
	} {
		a, b := pattern(t, test.a), pattern(t, test.b)
		if a.Overlaps(b) != test.want || b.Overlaps(a) != test.want {
			t.Errorf("%s and %s: %v and %v, want %v", a, b, a.Overlaps(b), b.Overlaps(a), test.want)
		}
	}
	var none *principal.Template
	all := pattern(t, shop+"*")
	if none.Overlaps(all) || all.Overlaps(none) || none.Matches(idOf(t, shop+"a")) || principal.IsPattern(none) {
		t.Error("no template is a pattern")
	}
}

// pattern is a template where there are braces.
func pattern(t testing.TB, text string) principal.Pattern {
	t.Helper()
	if strings.Contains(text, "{") {
		return template(t, text)
	}
	p, err := principal.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func idOf(t testing.TB, text string) principal.ID {
	t.Helper()
	id, err := principal.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Two patterns overlap exactly when one of many IDs is in both.
func TestOverlapIsExact(t *testing.T) {
	source := rand.New(rand.NewPCG(3, 4))
	texts := []string{"a", "b", "ab", "aab", "abb", ".", "..", "a.", "aba"}
	ids := map[principal.ID]bool{}
	for _, first := range texts {
		for _, second := range append(texts, "") {
			if id, err := principal.ParseID("spiffe://d/" + strings.TrimSuffix(first+"/"+second, "/")); err == nil {
				ids[id] = true
			}
		}
	}
	segment := func() string {
		return []string{"a", "b", "ab", "{x}", "a{x}", "{x}b", "a{x}b", "ab{x}", "{x}a", "a.", "b{x}"}[source.IntN(11)]
	}
	random := func() string {
		text := "spiffe://d/" + segment()
		if source.IntN(2) == 0 {
			text += "/" + segment()
		}
		if !strings.Contains(text, "{") && source.IntN(2) == 0 {
			text += "/*"
		}
		return text
	}
	for range rounds.Of(5000) {
		a, b := pattern(t, random()), pattern(t, random())
		common := false
		for id := range ids {
			common = common || a.Matches(id) && b.Matches(id)
		}
		// Few IDs are tried, so what has none in common here may have a longer one.
		if overlaps := a.Overlaps(b); common && !overlaps {
			t.Fatalf("%s and %s overlap, and %v", a, b, overlaps)
		}
		if a.Overlaps(b) != b.Overlaps(a) {
			t.Fatalf("%s and %s: the order matters", a, b)
		}
		if !a.Overlaps(b) || common {
			continue
		}
		if id, ok := witness(a.String(), b.String()); !ok || !a.Matches(id) || !b.Matches(id) {
			t.Fatalf("%s and %s are said to overlap, and %v is not in both", a, b, id)
		}
	}
}

// witness makes an ID that is in two patterns that overlap.
func witness(a, b string) (principal.ID, bool) {
	segments := func(text string) []string { return strings.Split(strings.TrimPrefix(text, "spiffe://d/"), "/") }
	one, two := segments(a), segments(b)
	var path []string
	for i := range max(len(one), len(two)) {
		s, u := "*", "*"
		if i < len(one) {
			s = one[i]
		}
		if i < len(two) {
			u = two[i]
		}
		before := func(t string) string { text, _, _ := strings.Cut(t, "{"); return text }
		behind := func(t string) string { _, text, _ := strings.Cut(t, "}"); return text }
		longer := func(a, b string) string {
			if len(a) > len(b) {
				return a
			}
			return b
		}
		switch {
		case s == "*" && u == "*":
			path = append(path, "z")
		case s == "*":
			path = append(path, strings.NewReplacer("{x}", "z").Replace(u))
		case u == "*":
			path = append(path, strings.NewReplacer("{x}", "z").Replace(s))
		case !strings.Contains(s, "{"):
			path = append(path, s)
		case !strings.Contains(u, "{"):
			path = append(path, u)
		default:
			path = append(path, longer(before(s), before(u))+"z"+longer(behind(s), behind(u)))
		}
	}
	id, err := principal.ParseID("spiffe://d/" + strings.Join(path, "/"))
	return id, err == nil
}

// Whatever the claims hold, a template makes an ID within its literal prefix, that it matches, or none; and two tokens
// that differ in a claim of the template never get one ID.
func TestTemplatesStayWithinTheirPrefix(t *testing.T) {
	source := rand.New(rand.NewPCG(5, 6))
	templates := []string{
		"spiffe://shop.example/ns/{a}/sa/{b}", "spiffe://shop.example/{a}/{b}", "spiffe://shop.example/x-{a}/{b}.y",
		"spiffe://shop.example/{a>c}/{b}", "spiffe://shop.example/{a.c}/{b}",
	}
	parts := []string{
		"a", "b", "-", ".", "..", "/", "%", "%2f", "\\", "\u0430", "{a}", "*", " ", "\n", "\x00", "sa", "ns", ":", "?", "#",
		"@", "",
	}
	value := func() any {
		switch source.IntN(12) {
		case 0:
			return []string{"a"}
		case 1:
			return source.IntN(9)
		case 2:
			return map[string]any{"c": "a"}
		}
		text, from := "", parts
		if source.IntN(3) > 0 {
			from = parts[:3]
		}
		for range 1 + source.IntN(3) {
			text += from[source.IntN(len(from))]
		}
		return text
	}
	named := map[string]map[principal.ID]string{}
	made := 0
	for range rounds.Of(20000) {
		text := templates[source.IntN(len(templates))]
		object := map[string]any{"a": value(), "b": value(), "a.c": value()}
		if source.IntN(2) == 0 {
			object["a"] = map[string]any{"c": value()}
			delete(object, "a.c")
		}
		encoded, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := principal.ParseClaims(encoded)
		if err != nil {
			continue
		}
		p := template(t, text)
		id, err := p.ID(claims)
		if err != nil {
			if !id.IsZero() {
				t.Fatalf("%s of %s: an error and %v", text, encoded, id)
			}
			continue
		}
		made++
		prefix, _, _ := strings.Cut(text, "{")
		again, err := principal.ParseID(id.String())
		if err != nil || again != id || !strings.HasPrefix(id.String(), prefix) || !p.Matches(id) ||
			strings.Count(id.String(), "/") != strings.Count(text, "/") {
			t.Fatalf("%s of %s is %v", text, encoded, id)
		}
		inner, _ := claims.String("a", "c")
		flat, _ := claims.String("a")
		dotted, _ := claims.String("a.c")
		behind, _ := claims.String("b")
		from := strings.Join([]string{inner, flat, behind}, "|")
		if strings.Contains(text, "{a.c}") {
			from = inner + dotted + "|" + behind
		} else if strings.Contains(text, "{a>c}") {
			from = inner + "|" + behind
		}
		if named[text] == nil {
			named[text] = map[principal.ID]string{}
		}
		if other, known := named[text][id]; known && other != from {
			t.Fatalf("%s makes %v of %q and of %q", text, id, other, from)
		}
		named[text][id] = from
	}
	if made < 100 {
		t.Errorf("only %d IDs were made", made)
	}
}

// What is read as a template is written as it was, matches what it makes, and makes nothing else.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"", "spiffe://shop/{azp}", "spiffe://shop/ns/{a.b>c}/x-{d}.y", "spiffe://{a}/b", "spiffe://shop/{a}{b}",
		"spiffe://shop/{a/b}", "spiffe://shop/{", "spiffe://shop/{a}/..",
	} {
		for _, value := range []string{"orders", "..", "a/b", "%2e", "\u0430"} {
			f.Add(text, value)
		}
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		p, err := principal.ParseTemplate(text)
		if err != nil {
			return
		}
		if p.String() != text || !principal.IsPattern(p) || !p.Overlaps(p) || !p.TrustDomain().Pattern().Overlaps(p) {
			t.Errorf("%q is %q of %q", text, p, p.TrustDomain())
		}
		names := strings.FieldsFunc(text, func(r rune) bool { return r == '{' || r == '}' })
		object := map[string]any{}
		for i, name := range names {
			if i%2 == 1 {
				object[name] = value
			}
		}
		encoded, err := json.Marshal(object)
		if err != nil {
			return
		}
		claims, err := principal.ParseClaims(encoded)
		if err != nil {
			return
		}
		id, err := p.ID(claims)
		if err != nil {
			return
		}
		prefix, _, _ := strings.Cut(text, "{")
		if !strings.HasPrefix(id.String(), prefix) || !p.Matches(id) || !p.Overlaps(id) || !id.Overlaps(p) ||
			!strings.Contains(id.String(), value) || strings.ContainsAny(value, "/%{}*") {
			t.Errorf("%q of %q is %v", text, value, id)
		}
	})
}
