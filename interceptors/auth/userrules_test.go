package auth_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
	"github.com/parley-rpc/parley/rpcerr"
)

const meshName = "https://mesh.shop.example"

// ruled is a server with rules about users, and orders, which calls it in connection mode.
type ruled struct {
	*users
	mesh  vouching
	rules *auth.Users
	seen  metadata.MD // by the handler of the last call
	who   string      // its user
}

func newRuled(t testing.TB) *ruled {
	t.Helper()
	r := &ruled{mesh: newVouching(t, meshName), rules: auth.NewUsers()}
	t.Cleanup(func() { _ = r.rules.Close() })
	impl := payments{
		quote: func(ctx context.Context) error {
			r.seen, _ = metadata.FromIncomingContext(ctx)
			user, _ := principal.UserFromContext(ctx)
			r.who = user.Issuer + "/" + user.Subject
			return nil
		},
		watch: func(s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse]) error {
			if err := s.Send(nil); err != nil {
				return err
			}
			<-s.Context().Done()
			return nil
		},
	}
	r.users = newUsers(t, impl, nil, auth.WithUsers(r.rules))
	return r
}

// rule is a rule about the issuer of the mesh, which accepts what foreign issuers make.
func (r *ruled) rule(t testing.TB, change func(*auth.UserRule)) auth.UserRule {
	t.Helper()
	jwk, err := r.mesh.key.Public().MarshalJWK()
	if err != nil {
		t.Fatal(err)
	}
	rule := auth.UserRule{
		Place: "mesh.yaml:5", Issuer: meshName, JWKS: `{"keys":[` + string(jwk) + `]}`,
		Profile: profile.Profile{Types: []string{"JWT"}, RequiredClaims: []string{}, NoIssuedAt: true},
	}
	if change != nil {
		change(&rule)
	}
	return rule
}

func (r *ruled) apply(t testing.TB, rules ...auth.UserRule) {
	t.Helper()
	c, err := r.rules.Prepare(rules...)
	if err != nil {
		t.Fatal(err)
	}
	c.Apply()
}

func (r *ruled) token(t testing.TB, change claims) string {
	t.Helper()
	return sign(
		t,
		r.mesh.key,
		"JWT",
		claims{"iss": meshName, "sub": "anna", "exp": in(time.Minute), "org": claims{"unit": "toys"}, "n": 7}.
			with(change),
	)
}

func (r *ruled) quote(t testing.TB, want rpcerr.Reason, pairs ...string) {
	t.Helper()
	code := codes.Unauthenticated
	if want == "" {
		code = codes.OK
	}
	r.seen, r.who = nil, ""
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs(pairs...))
	refused(t, strings.Join(pairs, " ")[:min(40, len(strings.Join(pairs, " ")))], quote(ctx, r.connection), code, want)
}

// Where tokens of rules may come, and what is refused there. In what is sent, TOKEN is a token of the mesh's issuer with
// the claims of the case, and ALICE one of the issuer of the options.
func TestUserRules(t *testing.T) {
	const bad, anna, authorization = rpcerr.CredentialsInvalid, meshName + "/anna", "authorization"
	type changes []func(*auth.UserRule)
	from := func(name, prefix string) func(*auth.UserRule) {
		return func(u *auth.UserRule) { u.Headers = append(u.Headers, auth.TokenHeader{Name: name, Prefix: prefix}) }
	}
	audience := func(names ...string) func(*auth.UserRule) {
		return func(u *auth.UserRule) { u.Audiences = names }
	}
	other := func(more ...func(*auth.UserRule)) func(*auth.UserRule) {
		return func(u *auth.UserRule) {
			u.Issuer = "https://other.example"
			for _, change := range more {
				change(u)
			}
		}
	}
	plain := changes{nil}
	for name, test := range map[string]struct {
		rules  changes
		claims claims
		send   []string
		want   rpcerr.Reason
		who    string
	}{
		"no token":      {plain, nil, nil, "", "/"},
		"bearer":        {plain, nil, []string{authorization, "Bearer TOKEN"}, "", anna},
		"own key":       {plain, nil, []string{userKey, "TOKEN"}, "", anna},
		"basic":         {plain, nil, []string{authorization, "Basic YTpi"}, bad, ""},
		"expired":       {plain, claims{"exp": in(-time.Hour)}, []string{userKey, "TOKEN"}, rpcerr.CredentialsExpired, ""},
		"no exp":        {plain, claims{"exp": nil}, []string{userKey, "TOKEN"}, bad, ""},
		"a workload":    {plain, claims{"sub": "spiffe://shop.example/orders"}, []string{userKey, "TOKEN"}, bad, ""},
		"another iss":   {plain, claims{"iss": "x"}, []string{authorization, "Bearer TOKEN"}, bad, ""},
		"options":       {plain, nil, []string{userKey, "ALICE"}, "", loginName + "/alice"},
		"options there": {plain, nil, []string{authorization, "Bearer ALICE"}, bad, ""},
		"two tokens":    {plain, nil, []string{userKey, "TOKEN", authorization, "Bearer TOKEN"}, bad, ""},

		"header":           {changes{from("x-jwt", "")}, nil, []string{"x-jwt", "TOKEN"}, "", anna},
		"header, prefix":   {changes{from("x-jwt", "JWT ")}, nil, []string{"x-jwt", "JWT TOKEN"}, "", anna},
		"header, none":     {changes{from("x-jwt", "JWT ")}, nil, []string{"x-jwt", "TOKEN"}, bad, ""},
		"header, twice":    {changes{from("x-jwt", "")}, nil, []string{"x-jwt", "TOKEN", "x-jwt", "b"}, bad, ""},
		"header, not here": {changes{from("x-jwt", "")}, nil, []string{"x-other", "TOKEN"}, "", "/"},
		"header, and authorization is the workload's": {
			changes{from("x-jwt", "")}, nil, []string{authorization, "Bearer TOKEN"}, bad, "",
		},
		"the place of another issuer": {
			changes{from("x-jwt", ""), other()}, nil, []string{authorization, "Bearer TOKEN"}, bad, "",
		},
		"longest prefix": {
			changes{from("x-jwt", ""), other(from("x-jwt", "Other "))},
			claims{"iss": "https://other.example"},
			[]string{"x-jwt", "Other TOKEN"},
			"", "https://other.example/anna",
		},

		"whatever audience": {plain, claims{"aud": []string{"a", "b"}}, []string{userKey, "TOKEN"}, "", anna},
		"audience no text":  {plain, claims{"aud": 7}, []string{userKey, "TOKEN"}, bad, ""},
		"no audience":       {changes{audience("a")}, nil, []string{userKey, "TOKEN"}, bad, ""},
		"audience":          {changes{audience("b", "a*")}, claims{"aud": "a*"}, []string{userKey, "TOKEN"}, "", anna},
		"other audience":    {changes{audience("a*")}, claims{"aud": "ab"}, []string{userKey, "TOKEN"}, bad, ""},
		"second of an issuer": {
			changes{audience("a"), audience("b")}, claims{"aud": "b"}, []string{authorization, "bearer TOKEN"}, "", anna,
		},
		"neither of an issuer": {
			changes{audience("a"), audience("b")}, claims{"aud": "c"}, []string{authorization, "bearer TOKEN"}, bad, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRuled(t)
				var rules []auth.UserRule
				for _, change := range test.rules {
					rules = append(rules, r.rule(t, change))
				}
				r.apply(t, rules...)
				fill := strings.NewReplacer("TOKEN", r.token(t, test.claims), "ALICE", r.accessToken(t, nil))
				var pairs []string
				for _, text := range test.send {
					pairs = append(pairs, fill.Replace(text))
				}
				r.quote(t, test.want, pairs...)
				if r.who != test.who {
					t.Errorf("the handler saw the user %q, want %q", r.who, test.who)
				}
			})
		})
	}
}

// What handlers see of tokens and claims, and that callers cannot write there.
func TestUserHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuled(t)
		writes := func(u *auth.UserRule) {
			u.ClaimHeaders = []auth.ClaimHeader{
				{
					Name:  "x-unit",
					Claim: []string{"org", "unit"},
				},
				{Name: "x-n", Claim: []string{"n"}},
				{Name: "x-org", Claim: []string{"org"}},
			}
			u.PayloadHeader = "x-payload"
			u.Headers = []auth.TokenHeader{{Name: "x-jwt"}}
		}
		r.apply(t, r.rule(t, writes))
		token := r.token(t, nil)
		see := func(name string, want ...string) {
			t.Helper()
			if got := r.seen.Get(name); strings.Join(got, ",") != strings.Join(want, ",") {
				t.Errorf("the handler sees %q in %s, want %q", got, name, want)
			}
		}
		r.quote(t, "", "x-jwt", token, "x-unit", "forged", "x-org", "forged", "x-payload", "forged", "x-else", "e")
		see("x-unit", "toys")
		see("x-n", "7")
		see("x-org")
		see("x-else", "e")
		see("x-jwt")
		payload, err := base64.RawURLEncoding.DecodeString(strings.Join(r.seen.Get("x-payload"), ""))
		if err != nil || !strings.Contains(string(payload), `"sub":"anna"`) {
			t.Errorf("the payload is %q, %v", payload, err)
		}
		r.quote(t, "", "x-unit", "forged", "x-payload", "forged")
		see("x-unit")
		see("x-payload")
		r.rules.Limit()
		r.quote(t, "", "x-unit", "forged")
		see("x-unit")
		r.quote(t, rpcerr.CredentialsInvalid, "x-jwt", token)
		r.apply(t, r.rule(t, func(u *auth.UserRule) { writes(u); u.ForwardToken = true }))
		r.quote(t, "", "x-jwt", token)
		see("x-jwt", token)
		r.apply(t, r.rule(t, func(u *auth.UserRule) { u.ForwardToken = true }))
		r.quote(t, "", "authorization", "Bearer "+token, "x-unit", "free")
		see("authorization", "Bearer "+token)
		see("x-unit", "free")
		r.quote(t, "", userKey, r.accessToken(t, nil))
		see(userKey)
	})
}

// Rules come and go. A limit takes new calls away and leaves streams; a withdrawn rule ends them; what stays, stays.
func TestUserRulesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuled(t)
		mesh := r.rule(t, nil)
		other := r.rule(t, func(u *auth.UserRule) { u.Issuer = "https://other.example" })
		ask := func(want rpcerr.Reason) {
			t.Helper()
			r.quote(t, want, userKey, r.token(t, nil))
		}
		ask(rpcerr.CredentialsInvalid)
		r.apply(t, mesh, other)
		ask("")
		opened, err := watch(metadata.NewOutgoingContext(t.Context(), metadata.Pairs(userKey, r.token(t, nil))), r.connection)
		if err != nil {
			t.Fatal(err)
		}
		r.rules.Limit(other)
		ask(rpcerr.CredentialsInvalid)
		r.rules.Limit()
		ask(rpcerr.CredentialsInvalid)
		r.rules.Lift()
		ask("")
		moved := mesh
		moved.Place = "mesh.yaml:9"
		r.apply(t, moved)
		ask("")
		if got := r.rules.Rules(); len(got) != 1 || got[0].Place != "mesh.yaml:9" {
			t.Errorf("rules in force: %v", got)
		}
		c, err := r.rules.Prepare(other)
		if err != nil {
			t.Fatal(err)
		}
		c.Discard()
		ask("")
		ended := make(chan error, 1)
		go func() {
			_, err := opened.Recv()
			ended <- err
		}()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("the stream has ended: %v", err)
		default:
		}
		r.apply(t, other)
		ask(rpcerr.CredentialsInvalid)
		refused(t, "the stream", <-ended, codes.Unauthenticated, rpcerr.CredentialsExpired)
		synctest.Wait()
		log := r.w.log.String()
		if !hasLine(log, []string{`"parley: credential ended"`, `of="stream of a user"`}) ||
			hasLine(log, []string{`"parley: credential ended"`, "generation=18446744073709551615"}) {
			t.Errorf("the end of the stream, whose rule has no generation any more, is logged as\n%s", log)
		}
	})
}

// Mistakes name the rule and its place, and change nothing.
func TestUserRuleMistakes(t *testing.T) {
	r := newRuled(t)
	for says, change := range map[string]func(*auth.UserRule){
		"mesh.yaml:5: auth: rule \"\" (mesh.yaml:5): it names no issuer":                         func(u *auth.UserRule) { u.Issuer = "" },
		`auth: Issuer "https://login.shop.example" is stated WithUserIssuers and at mesh.yaml:5`: func(u *auth.UserRule) { u.Issuer = loginName },
		`tokens cannot come in "grpc-timeout": it has a meaning of its own`:                      func(u *auth.UserRule) { u.Headers = []auth.TokenHeader{{Name: "grpc-timeout"}} },
		`tokens cannot come in "X-JWT": it is no metadata key`:                                   func(u *auth.UserRule) { u.Headers = []auth.TokenHeader{{Name: "X-JWT"}} },
		`claims cannot be written into "authorization": it has a meaning of its own`:             func(u *auth.UserRule) { u.PayloadHeader = "authorization" },
		`claims cannot be written into "x-bin-bin": it has binary values`:                        func(u *auth.UserRule) { u.PayloadHeader = "x-bin-bin" },
		`claims cannot be written into "x-jwt": tokens come there`: func(u *auth.UserRule) {
			u.Headers, u.PayloadHeader = []auth.TokenHeader{{Name: "x-jwt"}}, "x-jwt"
		},
		`no claim is named for "x-a"`:   func(u *auth.UserRule) { u.ClaimHeaders = []auth.ClaimHeader{{Name: "x-a"}} },
		"mesh.yaml:5: keyset: Static":   func(u *auth.UserRule) { u.JWKS = "{}" },
		"WithTimeout: 1ns must be":      func(u *auth.UserRule) { u.JWKS, u.JWKSURL, u.FetchTimeout = "", "https://a.example", 1 },
		`keyset.URL("http://a.example"`: func(u *auth.UserRule) { u.JWKS, u.JWKSURL = "", "http://a.example" },
		"ClockSkew is more than":        func(u *auth.UserRule) { u.Profile.ClockSkew = time.Hour },
	} {
		if _, err := r.rules.Prepare(r.rule(t, change)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	if rules := r.rules.Rules(); len(rules) != 0 {
		t.Errorf("rules in force: %v", rules)
	}
}
