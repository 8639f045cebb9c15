package auth_test

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

func values(of ...any) []*structpb.Value {
	var all []*structpb.Value
	for _, v := range of {
		value, err := structpb.NewValue(v)
		if err != nil {
			panic(err)
		}
		all = append(all, value)
	}
	return all
}

func value(of any) *structpb.Value { return values(of)[0] }

// judged is a server that judges by rules, without any call.
type judged struct {
	t    *testing.T
	w    *world
	gate *auth.Gate
}

func judge(t *testing.T, a *policyv1.Auth, opts ...auth.ServerOption) *judged {
	t.Helper()
	w := newWorld(t)
	w.enroll("payments")
	gate := w.identity("payments").Server(tableOf(t, narrow(a)), append(judgeOptions(t), opts...)...)
	if err := gate.Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName, paymentsv1.PaymentsService_WatchCharge_FullMethodName); err != nil {
		t.Fatal(err)
	}
	return &judged{t, w, gate}
}

func judgeOptions(t testing.TB) []auth.ServerOption {
	return []auth.ServerOption{
		auth.WithBearer(evilCertificate(t)),
		auth.WithUserIssuers(newVouching(t, loginName).issuer(t)), auth.WithTransactionTokens(newVouching(t, mintName).issuer(t)),
	}
}

// peer is orders with a token of these claims and scopes.
func (j *judged) peer(service, claims string, scopes ...string) *principal.Peer {
	j.t.Helper()
	return &principal.Peer{
		ID: j.w.id(service), Carrier: principal.CarrierToken, Claims: parsed(j.t, claims), Scopes: scopes,
		Audiences: []string{"spiffe://shop.example/payments"},
	}
}

func (j *judged) user(subject, claims string, scopes ...string) *principal.User {
	j.t.Helper()
	return &principal.User{Issuer: loginName, Subject: subject, Claims: parsed(j.t, claims), Scopes: scopes}
}

func (j *judged) explain(peer *principal.Peer, user *principal.User) policy.Explanation {
	return j.gate.Explain(j.t.Context(), policy.Call{Method: paymentsv1.PaymentsService_GetQuote_FullMethodName, Peer: peer, User: user})
}

func parsed(t testing.TB, claims string) principal.Claims {
	t.Helper()
	if claims == "" {
		claims = "{}"
	}
	c, err := principal.ParseClaims([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

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
			allow, deny := judge(t, &policyv1.Auth{Allow: []*policyv1.Rule{r}}), judge(t, &policyv1.Auth{Deny: []*policyv1.Rule{r}})
			allowUser, denyUser := judge(t, &policyv1.Auth{Allow: []*policyv1.Rule{ofUser}}), judge(t, &policyv1.Auth{Deny: []*policyv1.Rule{ofUser}})
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

// Who may call by rules: deny, then allow, then nobody. Lists are alternatives, fields must all hold.
func TestRules(t *testing.T) {
	const (
		passes  = rpcerr.Reason("")
		denied  = rpcerr.PolicyDenied
		unknown = rpcerr.CredentialsMissing
	)
	env := []*policyv1.Claim{{Path: []string{"env"}, Any: values("dev")}}
	all := &policyv1.Auth{
		Deny: []*policyv1.Rule{
			{Name: new("no-dev"), Claims: env},
			{Name: new("no-mallory"), User: &policyv1.UserCondition{Subjects: []string{"mallory"}}},
		},
		Allow: []*policyv1.Rule{
			{Name: new("readers"), Peers: []string{"reports", "spiffe://shop.example/orders"}, Scopes: []string{"read"}},
			{Name: new("for-us"), Audiences: []string{"spiffe://shop.example/ledger", "spiffe://shop.example/payments"}, Claims: []*policyv1.Claim{{Path: []string{"team"}, Equals: value("core")}}},
			{Name: new("shoppers"), User: &policyv1.UserCondition{Issuers: []string{loginName}, Subjects: []string{"alice", "bob", "mallory"}, Scopes: []string{"buy"}}},
		},
	}
	j := judge(t, all)
	foreign := j.user("alice", "", "buy")
	foreign.Issuer = mintName
	elsewhere := j.peer("orders", `{"team":"core"}`)
	elsewhere.Audiences = []string{"spiffe://shop.example/elsewhere"}
	for name, test := range map[string]struct {
		peer *principal.Peer
		user *principal.User
		want rpcerr.Reason
	}{
		"nobody":                                {nil, nil, unknown},
		"a user alone":                          {nil, j.user("alice", "", "buy"), unknown},
		"a caller for whom no rule holds":       {j.peer("orders", ""), nil, denied},
		"peer and scope":                        {j.peer("orders", "", "read"), nil, passes},
		"scope of another peer":                 {j.peer("support", "", "read"), nil, denied},
		"scope that is part of another":         {j.peer("orders", "", "reader"), nil, denied},
		"audience and claim":                    {j.peer("orders", `{"team":"core"}`), nil, passes},
		"claim in a token made for another":     {elsewhere, nil, denied},
		"denied although a rule allows":         {j.peer("orders", `{"env":"dev"}`, "read"), nil, denied},
		"denied by one value of several":        {j.peer("orders", `{"env":["prod","dev"]}`, "read"), nil, denied},
		"a claim that the deny rule misses":     {j.peer("orders", `{"env":"prod"}`, "read"), nil, passes},
		"a user":                                {j.peer("orders", ""), j.user("alice", "", "buy"), passes},
		"a user without the scope":              {j.peer("orders", ""), j.user("alice", "", "browse"), denied},
		"a user who is not listed":              {j.peer("orders", ""), j.user("carol", "", "buy"), denied},
		"a user of another issuer":              {j.peer("orders", ""), foreign, denied},
		"a user who is denied":                  {j.peer("orders", ""), j.user("mallory", "", "buy"), denied},
		"a user who is denied, of a good peer":  {j.peer("orders", "", "read"), j.user("mallory", ""), denied},
		"a user whom no deny rule can hold for": {j.peer("orders", "", "read"), j.user("alice", `{"env":"dev"}`), passes},
	} {
		if e := j.explain(test.peer, test.user); e.Reason != test.want {
			t.Errorf("%s: got %v, want %q", name, e, test.want)
		}
	}
}

// Users are denied by the beginning and the end of their sub.
func TestRulesAboutSubjects(t *testing.T) {
	guests := &policyv1.Auth{
		Deny: []*policyv1.Rule{
			{Name: new("no-guests"), User: &policyv1.UserCondition{SubjectPrefix: []string{"guest-", "anon-"}}},
		},
		Allow: []*policyv1.Rule{
			{Name: new("people"), User: &policyv1.UserCondition{SubjectSuffix: []string{"@shop.example"}}},
		},
	}
	j := judge(t, guests)
	for subject, want := range map[string]bool{
		"alice@shop.example": true, "guest-17@shop.example": false, "guest-@shop.example": false,
		"anon-1@shop.example":   false,
		"Guest-17@shop.example": true, "my-guest-17@shop.example": true, "alice": false, "alice@shop.example.evil": false,
	} {
		if e := j.explain(j.peer("orders", ""), j.user(subject, "")); e.Allowed != want {
			t.Errorf("%s: %v", subject, e)
		}
	}
}

// A rule for many services refuses where it can hold, and is no mistake on a server that takes neither tokens nor
// users.
func TestWideDenyRules(t *testing.T) {
	wide := func(a *policyv1.Auth, opts ...auth.ServerOption) error {
		w := newWorld(t)
		w.enroll("payments")
		table := tableOf(t, policy.Code(map[string]*policyv1.Policy{"/shop.*": {Auth: a}}))
		gate := w.identity("payments").Server(table, opts...)
		return gate.Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName)
	}
	guests := &policyv1.UserCondition{SubjectPrefix: []string{"guest-"}}
	claim := []*policyv1.Claim{{Path: []string{"env"}, Exists: new(true)}}
	for name, test := range map[string]struct {
		auth *policyv1.Auth
		want string // "" for no mistake
	}{
		"a deny rule about users":  {&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), User: guests}}}, ""},
		"a deny rule about claims": {&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Claims: claim}}}, ""},
		"a deny rule about a partner": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Peers: []string{"spiffe://partner.example/*"}}}},
			"",
		},
		"issuers of users who may be": {&policyv1.Auth{User: &policyv1.User{Issuers: []string{loginName}}}, ""},
		"users who must be": {
			&policyv1.Auth{User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}},
			"auth.user.presence: it can never hold",
		},
		"an allow rule about users": {
			&policyv1.Auth{Allow: []*policyv1.Rule{{Name: new("r"), User: guests}}},
			"it can never hold",
		},
		"a predicate that is not there": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Predicates: []string{"p"}}}},
			"the server has no predicate",
		},
		"peers that are no pattern": {
			&policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Peers: []string{"guest-*"}}}},
			"principal: ID pattern",
		},
		"scopes": {&policyv1.Auth{Scopes: []string{"a"}}, "auth.scopes: it can never hold"},
	} {
		err := wide(test.auth)
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	denied := &policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), User: guests}}}
	if err := wide(denied, judgeOptions(t)...); err != nil {
		t.Error(err)
	}
	w := newWorld(t)
	w.enroll("payments")
	kept := tableOf(t, policy.Code(map[string]*policyv1.Policy{
		"/*": {
			Auth: &policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("r"), Peers: []string{"billing"}}}},
		},
		"/shop.payments.v1.PaymentsService/*": {Auth: &policyv1.Auth{Peers: []string{"orders", "reports"}}},
	}))
	if err := w.identity("payments").Server(kept).Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName); err != nil {
		t.Errorf("a rule for all, about callers whom one service keeps out: %v", err)
	}
}

// The .proto lets orders alone in, whatever the rules of a layer allow.
func TestRulesDoNotOpenThePeersOfTheProto(t *testing.T) {
	j := judge(t, &policyv1.Auth{Allow: []*policyv1.Rule{{Name: new("everybody"), Peers: []string{"spiffe://shop.example/*"}}}})
	if e := j.explain(j.peer("orders", ""), nil); !e.Allowed {
		t.Error(e)
	}
	if e := j.explain(j.peer("mallory", ""), nil); e.Allowed {
		t.Error(e)
	}
}

// What a server cannot decide by is a mistake at its start, with the place and a remedy.
func TestRulesThatCannotHold67(t *testing.T) {
	rule := func(r *policyv1.Rule) *policyv1.Auth {
		r.Name = new("r")
		return &policyv1.Auth{Allow: []*policyv1.Rule{r}}
	}
	claim := []*policyv1.Claim{{Path: []string{"env"}, Exists: new(true)}}
	users := auth.WithUserIssuers(newVouching(t, loginName).issuer(t))
	bearer := auth.WithBearer(evilCertificate(t))
	night := auth.WithPredicate("at-night", func(context.Context, policy.Call) bool { return true })
	for name, test := range map[string]struct {
		auth *policyv1.Auth
		opts []auth.ServerOption
		want string
	}{
		"peers that are no IDs":           {rule(&policyv1.Rule{Peers: []string{"or*"}}), nil, `auth.allow: rule "r": peers: principal: ID pattern "or*"`},
		"peers of a foreign domain":       {rule(&policyv1.Rule{Peers: []string{"spiffe://other.example/a"}}), nil, `accept one WithAcceptDomains`},
		"a predicate that nobody wrote":   {rule(&policyv1.Rule{Predicates: []string{"at-nigth"}}), []auth.ServerOption{night}, `the server has no predicate "at-nigth"; it has at-night`},
		"no predicates at all":            {rule(&policyv1.Rule{Predicates: []string{"at-night"}}), nil, `give it one WithPredicate`},
		"scopes without tokens":           {rule(&policyv1.Rule{Scopes: []string{"a"}}), nil, `open the server WithBearer`},
		"claims without tokens":           {rule(&policyv1.Rule{Claims: claim}), nil, `open the server WithBearer`},
		"scopes of the method, no tokens": {&policyv1.Auth{Scopes: []string{"a"}}, nil, `auth.scopes: it can never hold`},
		"users for whom nobody vouches":   {rule(&policyv1.Rule{User: &policyv1.UserCondition{}}), nil, `name one WithUserIssuers or WithTransactionTokens`},
		"users of an unknown issuer":      {rule(&policyv1.Rule{User: &policyv1.UserCondition{Issuers: []string{"https://x"}}}), []auth.ServerOption{users}, `the server accepts none of these issuers: "https://x"`},
		"a required user without issuers": {&policyv1.Auth{User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum()}}, []auth.ServerOption{bearer}, `auth.user.presence: it can never hold`},
		"issuers of which none is known":  {&policyv1.Auth{User: &policyv1.User{Issuers: []string{loginName + "/"}}}, []auth.ServerOption{users}, `auth.user.issuers: it can never hold`},
		"a rule about callers that the same place keeps out": {&policyv1.Auth{Peers: []string{"orders", "reports"}, Allow: []*policyv1.Rule{
			{Name: new("a"), Peers: []string{"orders"}}, {Name: new("b"), Peers: []string{"spiffe://shop.example/batch/*"}},
		}}, nil, `auth.allow: rule "b" can never hold, because auth.peers in the same place lists none of its peers`},
		"a deny rule about callers that are kept out":   {&policyv1.Auth{Peers: []string{"orders", "reports"}, Deny: []*policyv1.Rule{{Name: new("a"), Peers: []string{"billing"}}}}, nil, `auth.deny: rule "a" can never hold`},
		"rules about callers that the .proto keeps out": {rule(&policyv1.Rule{Peers: []string{"billing"}}), nil, `auth.allow: no caller could call, because the peers keep out all that its rules name`},
		"the same on trial":                             {&policyv1.Auth{DryRun: new(true), Scopes: []string{"a"}}, nil, `auth.scopes: it can never hold`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.enroll("payments")
			err := w.identity("payments").Server(tableOf(t, narrow(test.auth)), test.opts...).Resolve(paymentsv1.PaymentsService_GetQuote_FullMethodName)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "gate_test.go:") {
				t.Errorf("got %v, want the place and %q", err, test.want)
			}
		})
	}
	w := newWorld(t)
	w.enroll("payments")
	for _, opts := range [][]auth.ServerOption{{auth.WithPredicate("", func(context.Context, policy.Call) bool { return true })}, {auth.WithPredicate("p", nil)}, {night, night}} {
		if err := w.identity("payments").Server(nil, opts...).Check(); err == nil {
			t.Errorf("%v was taken", opts)
		}
	}
}

// A predicate decides on what only the program understands. It sees the request of a unary call and none of a stream.
func TestPredicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := auth.WithPredicate("own-order", func(_ context.Context, call policy.Call) bool {
			request, unary := call.Request.(*paymentsv1.GetQuoteRequest)
			return call.User != nil && (!unary || request.GetOrderId() == call.User.Subject)
		})
		u := newUsers(t, payments{}, &policyv1.Auth{Allow: []*policyv1.Rule{{Name: new("own"), Predicates: []string{"own-order"}}}}, own)
		ctx := auth.AttachUserToken(t.Context(), u.accessToken(t, nil))
		ask := func(ctx context.Context, order string) error {
			_, err := paymentsv1.NewPaymentsServiceClient(u.connection).GetQuote(ctx, &paymentsv1.GetQuoteRequest{OrderId: order})
			return err
		}
		refused(t, "her own order", ask(ctx, "alice"), codes.OK, "")
		refused(t, "that of another", ask(ctx, "bob"), codes.PermissionDenied, rpcerr.PolicyDenied)
		refused(t, "no user", ask(t.Context(), "alice"), codes.PermissionDenied, rpcerr.PolicyDenied)
		_, err := watch(ctx, u.connection)
		refused(t, "stream", err, codes.OK, "")
	})
}

// A predicate that panics refuses the call, in a deny and in an allow rule alike, and ends nothing else.
func TestPredicatePanics69(t *testing.T) {
	panics := auth.WithPredicate("panics", func(context.Context, policy.Call) bool { panic("no idea") })
	rule := []*policyv1.Rule{{Name: new("r"), Predicates: []string{"panics"}}}
	other := &policyv1.Rule{Name: new("o"), Peers: []string{"orders"}}
	for name, test := range map[string]struct {
		auth *policyv1.Auth
		want codes.Code
	}{
		"in a deny rule":                         {&policyv1.Auth{Deny: rule}, codes.PermissionDenied},
		"in an allow rule":                       {&policyv1.Auth{Allow: rule}, codes.PermissionDenied},
		"in an allow rule before one that holds": {&policyv1.Auth{Allow: []*policyv1.Rule{rule[0], other}}, codes.PermissionDenied},
		"in an allow rule behind one that holds": {&policyv1.Auth{Allow: []*policyv1.Rule{other, rule[0]}}, codes.OK},
		"in a deny rule on trial":                {&policyv1.Auth{DryRun: new(true), Deny: rule}, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUsers(t, payments{}, test.auth, panics)
				reason := rpcerr.Reason("")
				if test.want != codes.OK {
					reason = rpcerr.PolicyDenied
				}
				u.everyMode(t.Context(), t, test.want, reason)
			})
		})
	}
}

// A caller whom only another token keeps out learns that, if the server is told to say so, and never which.
func TestStepUp(t *testing.T) {
	buy := &policyv1.Auth{User: &policyv1.User{Scopes: []string{"buy"}}, Scopes: []string{"read"}, Allow: []*policyv1.Rule{
		{Name: new("mfa"), Peers: []string{"orders"}, User: &policyv1.UserCondition{Claims: []*policyv1.Claim{{Path: []string{"mfa"}, Equals: value(true)}}}},
	}}
	silent, open := judge(t, buy), judge(t, buy, auth.WithStepUp())
	const (
		passes = rpcerr.Reason("")
		denied = rpcerr.PolicyDenied
		lacks  = rpcerr.InsufficientScope
	)
	for name, test := range map[string]struct {
		peer *principal.Peer
		user *principal.User
		want rpcerr.Reason
	}{
		"everything":                           {open.peer("orders", "", "read"), open.user("alice", `{"mfa":true}`, "buy"), passes},
		"the caller's scope is missing":        {open.peer("orders", ""), open.user("alice", `{"mfa":true}`, "buy"), lacks},
		"the user's scope is missing":          {open.peer("orders", "", "read"), open.user("alice", `{"mfa":true}`), lacks},
		"the user's claim is missing":          {open.peer("orders", "", "read"), open.user("alice", "", "buy"), lacks},
		"all of it is missing":                 {open.peer("orders", ""), open.user("alice", ""), lacks},
		"another peer, and a scope is missing": {open.peer("mallory", ""), open.user("alice", ""), denied},
		"no user at all":                       {open.peer("orders", ""), nil, denied},
	} {
		if e := open.explain(test.peer, test.user); e.Reason != test.want {
			t.Errorf("%s: %v, want %q", name, e, test.want)
		}
		if e := silent.explain(test.peer, test.user); e.Reason == lacks {
			t.Errorf("%s: the server says so unasked: %v", name, e)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{}, &policyv1.Auth{User: &policyv1.User{Scopes: []string{"sell"}}}, auth.WithStepUp())
		u.everyMode(auth.AttachUserToken(t.Context(), u.accessToken(t, nil)), t, codes.PermissionDenied, rpcerr.InsufficientScope)
	})
}

// What a policy on trial would refuse passes, and is told in the log, on the span and by the counter.
func TestDryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, spans := sdkmetric.NewManualReader(), tracetest.NewSpanRecorder()
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
		trial := &policyv1.Auth{DryRun: new(true), Peers: []string{"spiffe://shop.example/*"}, Deny: []*policyv1.Rule{{Name: new("no-orders"), Peers: []string{"orders"}}}}
		w := newWorld(t)
		w.enroll("orders", "mallory", "payments")
		gate := w.identity("payments").Server(tableOf(t, narrow(trial)), auth.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
		span := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			ctx, s := tracer.Start(ctx, "call")
			defer s.End()
			return h(ctx, req)
		}
		s := serve(t, payments{}, append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(span)}, gate.ServerOptions()...)...)
		cc := dial(t, s.dialer, w.identity("orders").DialOptions(w.id("payments"))...)
		refused(t, "unary, on trial", quote(t.Context(), cc), codes.OK, "")
		_, err := watch(t.Context(), cc)
		refused(t, "stream, on trial", err, codes.OK, "")
		refused(t, "what is in force", quote(t.Context(), dial(t, s.dialer, w.identity("mallory").DialOptions(w.id("payments"))...)), codes.PermissionDenied, rpcerr.PolicyDenied)

		log := w.log.String()
		if !hasLine(log, []string{`"parley: a policy on trial would refuse the call"`, "denied by rule no-orders", "reason=POLICY_DENIED", "decided=\"code gate_test.go:", "peer=spiffe://shop.example/orders"}) {
			t.Errorf("the log does not tell of the trial:\n%s", log)
		}
		if got, want := counts(t, reader), map[bool]int64{true: 2, false: 1}; got[true] != want[true] || got[false] != want[false] {
			t.Errorf("counted %v, want %v", got, want)
		}
		ended := spans.Ended()
		if events := ended[0].Events(); len(events) != 1 || events[0].Name != "parley.auth.would_refuse" {
			t.Errorf("the span has the events %v", events)
		}
		cause := ""
		for _, kv := range ended[1].Attributes() {
			if kv.Key == "parley.auth.cause" {
				cause = kv.Value.AsString()
			}
		}
		if cause != "the caller is not among the peers" {
			t.Errorf("the span says %q", cause)
		}
	})
}

// counts are the refusals by whether they were dry runs.
func counts(t *testing.T, reader *sdkmetric.ManualReader) map[bool]int64 {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	found := map[bool]int64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
			dry, _ := point.Attributes.Value("parley.auth.dry_run")
			found[dry.AsBool()] += point.Value
		}
	}
	return found
}

// The warning about a deny rule that a missing claim escapes is logged when the server resolves its methods.
func TestWarningAtStart(t *testing.T) {
	j := judge(t, &policyv1.Auth{Deny: []*policyv1.Rule{{Name: new("no-dev"), Claims: []*policyv1.Claim{{Path: []string{"env"}, Any: values("dev")}}}}})
	if log := j.w.log.String(); !hasLine(log, []string{"parley: the policy may surprise", "no-dev", "without claim env", "exists: false"}) {
		t.Errorf("no warning in\n%s", log)
	}
}

// Neither the user's token nor its claims are logged, at any level, and the user only under a pseudonym.
func TestNoUserIsLogged70(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, payments{}, &policyv1.Auth{User: &policyv1.User{Scopes: []string{"sell"}}})
		access, txn := u.accessToken(t, claims{"sub": "alice@shop.example", "email": "secret@shop.example"}), u.transactionToken(t, claims{"sub": "alice@shop.example"})
		u.everyMode(auth.AttachUserToken(t.Context(), access), t, codes.PermissionDenied, rpcerr.PolicyDenied)
		u.everyMode(auth.AttachTransactionToken(t.Context(), txn), t, codes.PermissionDenied, rpcerr.PolicyDenied)
		u.everyMode(auth.AttachUserToken(t.Context(), access+"A"), t, codes.Unauthenticated, rpcerr.CredentialsInvalid)
		log := u.w.log.String()
		if !hasLine(log, []string{"parley: call refused", "user=", "user_issuer=" + mintName, "txn=9705-3963", "the user's token lacks scope sell"}) {
			t.Fatalf("the refusal is not in the log:\n%s", log)
		}
		for _, secret := range append(strings.Split(access, "."), append(strings.Split(txn, "."), "alice@shop.example", "secret@shop.example")...) {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

func evilCertificate(t testing.TB) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := evilServerConfig(t).Certificates[0]
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }
}
