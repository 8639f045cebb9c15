package decide_test

import (
	"testing"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
)

// What each operator makes of each kind of claim. A missing claim fulfils nothing but exists: false, in allow and in
// deny rules alike.
func TestClaimConditions(t *testing.T) {
	path := func(names ...string) *policyv1.Claim { return &policyv1.Claim{Path: names} }
	with := func(c *policyv1.Claim, set func(*policyv1.Claim)) *policyv1.Claim { set(c); return c }
	anyOf := func(of ...any) *policyv1.Claim {
		return with(path("c"), func(c *policyv1.Claim) { c.Any = values(of...) })
	}
	all := func(of ...any) *policyv1.Claim {
		return with(path("c"), func(c *policyv1.Claim) { c.All = values(of...) })
	}
	none := func(of ...any) *policyv1.Claim {
		return with(path("c"), func(c *policyv1.Claim) { c.None = values(of...) })
	}
	equals := func(of any) *policyv1.Claim {
		return with(path("c"), func(c *policyv1.Claim) { c.Equals = value(of) })
	}
	exists := func(there bool) *policyv1.Claim {
		return with(path("c"), func(c *policyv1.Claim) { c.Exists = &there })
	}
	prefix := func(of ...string) *policyv1.Claim {
		return with(path("c"), func(c *policyv1.Claim) { c.Prefix = of })
	}
	suffix := func(of ...string) *policyv1.Claim {
		return with(path("c"), func(c *policyv1.Claim) { c.Suffix = of })
	}
	split := func(c *policyv1.Claim) *policyv1.Claim {
		return with(c, func(c *policyv1.Claim) { c.Split = policyv1.Split_SPLIT_SPACE.Enum() })
	}
	at := func(c *policyv1.Claim, names ...string) *policyv1.Claim {
		return with(c, func(c *policyv1.Claim) { c.Path = names })
	}
	for name, test := range map[string]struct {
		c      *policyv1.Claim
		claims string
		want   bool
	}{
		"any: the string":                        {anyOf("a", "b"), `{"c":"b"}`, true},
		"any: another string":                    {anyOf("a", "b"), `{"c":"x"}`, false},
		"any: an element":                        {anyOf("a"), `{"c":["x","a"]}`, true},
		"any: no element":                        {anyOf("a"), `{"c":[]}`, false},
		"any: an element of a list in a list":    {anyOf("a"), `{"c":[["a"]]}`, false},
		"any: a part of the string":              {anyOf("a"), `{"c":"a b"}`, false},
		"any: a word":                            {split(anyOf("a")), `{"c":"b a"}`, true},
		"any: a part of a word":                  {split(anyOf("a")), `{"c":"aa ba"}`, false},
		"any: a word in other case":              {split(anyOf("a")), `{"c":"A"}`, false},
		"any: no words":                          {split(anyOf("a")), `{"c":""}`, false},
		"any: split of a list":                   {split(anyOf("a")), `{"c":["a b","a"]}`, true},
		"any: missing":                           {anyOf("a"), `{}`, false},
		"any: null":                              {anyOf("a"), `{"c":null}`, false},
		"any: name in other case":                {anyOf("a"), `{"C":"a"}`, false},
		"any: an object":                         {anyOf("a"), `{"c":{"a":"a"}}`, false},
		"any: escaped":                           {anyOf("a"), `{"c":"\u0061"}`, true},
		"any: a number":                          {anyOf(1), `{"c":1.0}`, true},
		"any: a number in words":                 {anyOf(1), `{"c":"1"}`, false},
		"any: words for a number":                {anyOf("1"), `{"c":1}`, false},
		"any: true in words":                     {anyOf(true), `{"c":"true"}`, false},
		"any: 1 for true":                        {anyOf(true), `{"c":1}`, false},
		"any: true":                              {anyOf(true), `{"c":true}`, true},
		"any: false for true":                    {anyOf(true), `{"c":false}`, false},
		"any: a number of another size":          {anyOf(9007199254740991), `{"c":9007199254740993}`, false},
		"any: a number beyond every number":      {anyOf(1), `{"c":1e999}`, false},
		"all: all of them":                       {all("a", "b"), `{"c":["b","x","a"]}`, true},
		"all: one of them":                       {all("a", "b"), `{"c":["b","x"]}`, false},
		"all: words":                             {split(all("a", "b")), `{"c":"b x a"}`, true},
		"all: the one string":                    {all("a"), `{"c":"a"}`, true},
		"all: missing":                           {all("a"), `{}`, false},
		"none: none of them":                     {none("a", "b"), `{"c":["x"]}`, true},
		"none: an empty list":                    {none("a"), `{"c":[]}`, true},
		"none: one of them":                      {none("a", "b"), `{"c":["x","b"]}`, false},
		"none: a word":                           {split(none("a")), `{"c":"x a"}`, false},
		"none: missing":                          {none("a"), `{}`, false},
		"none: null":                             {none("a"), `{"c":null}`, false},
		"equals: the string":                     {equals("a"), `{"c":"a"}`, true},
		"equals: a list of it":                   {equals("a"), `{"c":["a"]}`, false},
		"equals: the boolean":                    {equals(false), `{"c":false}`, true},
		"equals: missing for false":              {equals(false), `{}`, false},
		"equals: the number":                     {equals(2.5), `{"c":25e-1}`, true},
		"prefix: the beginning":                  {prefix("x", "guest-"), `{"c":"guest-17"}`, true},
		"prefix: the whole string":               {prefix("guest-"), `{"c":"guest-"}`, true},
		"prefix: in the middle":                  {prefix("guest-"), `{"c":"no guest-17"}`, false},
		"prefix: in other case":                  {prefix("guest-"), `{"c":"Guest-17"}`, false},
		"prefix: shorter than it":                {prefix("guest-"), `{"c":"guest"}`, false},
		"prefix: an element":                     {prefix("guest-"), `{"c":["x",1,"guest-17"]}`, true},
		"prefix: no element":                     {prefix("guest-"), `{"c":[]}`, false},
		"prefix: an element of a list in a list": {prefix("guest-"), `{"c":[["guest-17"]]}`, false},
		"prefix: a word":                         {split(prefix("guest-")), `{"c":"x guest-17"}`, true},
		"prefix: in a word":                      {split(prefix("guest-")), `{"c":"xguest-17 y"}`, false},
		"prefix: a number":                       {prefix("1"), `{"c":17}`, false},
		"prefix: escaped":                        {prefix("guest-"), `{"c":"\u0067uest-17"}`, true},
		"prefix: a real star":                    {prefix(`orders:\*`), `{"c":"orders:*"}`, true},
		"prefix: a star is a letter of a claim":  {prefix("orders:x"), `{"c":"orders:*"}`, false},
		"prefix: missing":                        {prefix("guest-"), `{}`, false},
		"prefix: null":                           {prefix("guest-"), `{"c":null}`, false},
		"suffix: the end":                        {suffix("@clients"), `{"c":"a@clients"}`, true},
		"suffix: at the beginning":               {suffix("@clients"), `{"c":"@clients.example"}`, false},
		"suffix: an element":                     {suffix("@clients"), `{"c":["x","a@clients"]}`, true},
		"suffix: a word":                         {split(suffix("-bot")), `{"c":"a-bot b"}`, true},
		"suffix: an object":                      {suffix("}"), `{"c":{}}`, false},
		"suffix: missing":                        {suffix("-bot"), `{}`, false},
		"prefix and suffix, of one string": {
			with(prefix("a-"), func(c *policyv1.Claim) { c.Suffix = []string{"-z"} }),
			`{"c":"a-m-z"}`,
			true,
		},
		"prefix without the suffix": {
			with(prefix("a-"), func(c *policyv1.Claim) { c.Suffix = []string{"-z"} }),
			`{"c":"a-m"}`,
			false,
		},
		"any, a real star":                 {anyOf(`\*`), `{"c":["*"]}`, true},
		"any, a real star is no pattern":   {anyOf(`\*`), `{"c":["x"]}`, false},
		"exists: there":                    {exists(true), `{"c":0}`, true},
		"exists: an empty string is there": {exists(true), `{"c":""}`, true},
		"exists: missing":                  {exists(true), `{}`, false},
		"exists: null is missing":          {exists(true), `{"c":null}`, false},
		"does not exist: missing":          {exists(false), `{}`, true},
		"does not exist: null":             {exists(false), `{"c":null}`, true},
		"does not exist: there":            {exists(false), `{"c":false}`, false},
		"a path":                           {at(anyOf("a"), "realm", "roles"), `{"realm":{"roles":["a"]}}`, true},
		"a path through a string":          {at(anyOf("a"), "realm", "roles"), `{"realm":"roles"}`, false},
		"a path through a list":            {at(anyOf("a"), "realm", "roles"), `{"realm":[{"roles":"a"}]}`, false},
		"a name with a dot":                {at(anyOf("a"), "realm.roles"), `{"realm.roles":"a"}`, true},
		"a name with a dot is no path":     {at(anyOf("a"), "realm.roles"), `{"realm":{"roles":"a"}}`, false},
		"a path is no name with a dot":     {at(anyOf("a"), "realm", "roles"), `{"realm.roles":"a"}`, false},
		"a URL as name": {
			at(anyOf("a"), "https://shop.example/role"),
			`{"https://shop.example/role":"a"}`,
			true,
		},
		"several operators": {
			with(anyOf("a", "b"), func(c *policyv1.Claim) { c.None = values("x") }),
			`{"c":["a","y"]}`,
			true,
		},
		"several operators, one of which fails": {
			with(anyOf("a", "b"), func(c *policyv1.Claim) { c.None = values("x") }),
			`{"c":["a","x"]}`,
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &policyv1.Rule{Name: new("r"), Claims: []*policyv1.Claim{test.c}}
			ofUser := &policyv1.Rule{Name: new("r"), User: &policyv1.UserCondition{Claims: []*policyv1.Claim{test.c}}}
			allow := judge(t, &policyv1.Auth{Allow: []*policyv1.Rule{r}})
			deny := judge(t, &policyv1.Auth{Deny: []*policyv1.Rule{r}})
			allowUser := judge(t, &policyv1.Auth{Allow: []*policyv1.Rule{ofUser}})
			denyUser := judge(t, &policyv1.Auth{Deny: []*policyv1.Rule{ofUser}})
			if e := allow.explain(allow.peer("orders", test.claims), nil); e.Allowed != test.want {
				t.Errorf("as an allow rule: %v", e)
			}
			if e := deny.explain(deny.peer("orders", test.claims), nil); e.Allowed == test.want {
				t.Errorf("as a deny rule: %v", e)
			}
			if e := allowUser.explain(allow.peer("orders", ""), allow.user("alice", test.claims)); e.Allowed != test.want {
				t.Errorf("as an allow rule about the user: %v", e)
			}
			if e := denyUser.explain(deny.peer("orders", ""), deny.user("alice", test.claims)); e.Allowed == test.want {
				t.Errorf("as a deny rule about the user: %v", e)
			}
		})
	}
}
