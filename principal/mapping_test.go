package principal_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/principal"
)

func TestMapMistakes(t *testing.T) {
	orders := idOf(t, "spiffe://shop.example/orders")
	ids := map[string]principal.ID{"0oa1": orders}
	for name, test := range map[string]struct {
		m    principal.Map
		want string
	}{
		"nothing":        {principal.Map{}, "it names nobody"},
		"a bad template": {principal.Map{Template: "spiffe://shop.example/orders"}, "has no claim in braces"},
		"a template and a table": {
			principal.Map{Template: "spiffe://shop.example/{azp}", Claim: "azp", IDs: ids},
			"keep one",
		},
		"a table without a claim": {principal.Map{IDs: ids}, `Claim "": it is empty`},
		"a claim without a table": {principal.Map{Claim: "azp"}, "IDs is empty"},
		"an empty table":          {principal.Map{Claim: "azp", IDs: map[string]principal.ID{}}, "IDs is empty"},
		"an empty value": {
			principal.Map{Claim: "azp", IDs: map[string]principal.ID{"": orders}},
			`a value of "azp" is empty`,
		},
		"no ID": {principal.Map{Claim: "azp", IDs: map[string]principal.ID{"a": {}}}, `"a" has no ID`},
		"a pattern of values": {
			principal.Map{Claim: "azp", IDs: map[string]principal.ID{"0oa*": orders}},
			`"0oa*" has a star, and there are no patterns here`,
		},
		"a claim that is a path":   {principal.Map{Claim: "a>", IDs: ids}, "one of its names is empty"},
		"one claim that is itself": {principal.Map{Claim: "azp", IDs: ids, Same: []string{"sub"}}, "Same has one claim"},
		"one claim twice": {
			principal.Map{Claim: "azp", IDs: ids, Same: []string{"sub", "azp", "sub"}},
			`Same has one claim twice, "sub" and "sub"`,
		},
		"one place in two spellings": {
			principal.Map{Claim: "azp", IDs: ids, Same: []string{"act.sub", "act>sub"}}, "Same has one claim twice",
		},
		"same as nothing": {
			principal.Map{Claim: "azp", IDs: ids, Same: []string{"sub", ""}},
			`Same "": it is empty`,
		},
	} {
		if _, err := test.m.Compile(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestMapping(t *testing.T) {
	orders, billing := idOf(t, "spiffe://shop.example/orders"), idOf(t, "spiffe://shop.example/billing")
	table := principal.Map{
		Claim: "azp", IDs: map[string]principal.ID{"0oa1": orders, "0oa2": orders, "0oa3": billing, `star\*`: billing},
		Same: []string{"sub", "azp"},
	}
	nested := principal.Map{Claim: "act>sub", IDs: map[string]principal.ID{"a": orders}}
	for name, test := range map[string]struct {
		m            principal.Map
		claims, want string
		says         string
	}{
		"listed":         {table, `{"azp":"0oa1","sub":"0oa1"}`, "spiffe://shop.example/orders", ""},
		"a second value": {table, `{"azp":"0oa2","sub":"0oa2"}`, "spiffe://shop.example/orders", ""},
		"a real star":    {table, `{"azp":"star*","sub":"star*"}`, "spiffe://shop.example/billing", ""},
		"not listed":     {table, `{"azp":"0oa4","sub":"0oa4"}`, "", "claim azp names no workload that is listed"},
		"in other case":  {table, `{"azp":"0OA1","sub":"0OA1"}`, "", "no workload that is listed"},
		"an ID as value": {
			table,
			`{"azp":"spiffe://shop.example/orders","sub":"spiffe://shop.example/orders"}`,
			"",
			"no workload that is listed",
		},
		"a user's token": {
			table,
			`{"azp":"0oa1","sub":"alice"}`,
			"",
			"claims sub and azp are not the same, so it is no workload's token",
		},
		"no sub":            {table, `{"azp":"0oa1"}`, "", "claim sub is missing"},
		"a list":            {table, `{"azp":["0oa1"],"sub":"0oa1"}`, "", "claim azp is no string"},
		"nested":            {nested, `{"act":{"sub":"a"}}`, "spiffe://shop.example/orders", ""},
		"nested, elsewhere": {nested, `{"act.sub":"a"}`, "", "claim act>sub is missing"},
	} {
		m, err := test.m.Compile()
		if err != nil {
			t.Fatal(err)
		}
		id, err := m.ID(claimsOf(t, test.claims))
		if id.String() != test.want || (err == nil) != (test.says == "") ||
			err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %q, %v; want %q, %q", name, id, err, test.want, test.says)
		}
	}
	m, err := table.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Patterns(); len(got) != 2 || got[0] != principal.Pattern(orders) || got[1] != principal.Pattern(billing) {
		t.Errorf("the table names %v", got)
	}
}
