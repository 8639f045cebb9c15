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
	cc    *grpc.ClientConn
	seen  metadata.MD // by the handler of the last call
	who   string      // its user
}

func newRuled(t testing.TB, opts ...auth.ServerOption) *ruled {
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
	r.users = newUsers(t, impl, nil, append([]auth.ServerOption{auth.WithUsers(r.rules)}, opts...)...)
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
	return sign(t, r.mesh.key, "JWT", claims{"iss": meshName, "sub": "anna", "exp": in(time.Minute), "org": claims{"unit": "toys"}, "n": 7}.
		with(change))
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

// Where tokens of rules may come, and what is refused there.
func TestUserRules(t *testing.T) {
	const bad = rpcerr.CredentialsInvalid
	in2 := func(name, prefix string) func(*auth.UserRule) {
		return func(u *auth.UserRule) { u.Headers = append(u.Headers, auth.TokenHeader{Name: name, Prefix: prefix}) }
	}
	audience := func(names ...string) func(*auth.UserRule) {
		return func(u *auth.UserRule) { u.Audiences = names }
	}
	for name, test := range map[string]struct {
		rules []func(*auth.UserRule)
		send  func(r *ruled) []string
		want  rpcerr.Reason
		who   string
	}{
		"no token":     {[]func(*auth.UserRule){nil}, func(*ruled) []string { return nil }, "", "/"},
		"bearer":       {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{"authorization", "Bearer " + r.token(t, nil)} }, "", meshName + "/anna"},
		"own key":      {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{userKey, r.token(t, nil)} }, "", meshName + "/anna"},
		"basic":        {[]func(*auth.UserRule){nil}, func(*ruled) []string { return []string{"authorization", "Basic YTpi"} }, bad, ""},
		"expired":      {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{userKey, r.token(t, claims{"exp": in(-time.Hour)})} }, rpcerr.CredentialsExpired, ""},
		"no exp":       {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{userKey, r.token(t, claims{"exp": nil})} }, bad, ""},
		"another iss":  {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{"authorization", "Bearer " + r.token(t, claims{"iss": "x"})} }, bad, ""},
		"static there": {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{"authorization", "Bearer " + r.accessToken(t, nil)} }, bad, ""},
		"static":       {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{userKey, r.accessToken(t, nil)} }, "", loginName + "/alice"},
		"two tokens": {[]func(*auth.UserRule){nil}, func(r *ruled) []string {
			return []string{userKey, r.token(t, nil), "authorization", "Bearer " + r.token(t, nil)}
		}, bad, ""},
		"header":           {[]func(*auth.UserRule){in2("x-jwt", "")}, func(r *ruled) []string { return []string{"x-jwt", r.token(t, nil)} }, "", meshName + "/anna"},
		"header, prefix":   {[]func(*auth.UserRule){in2("x-jwt", "JWT ")}, func(r *ruled) []string { return []string{"x-jwt", "JWT " + r.token(t, nil)} }, "", meshName + "/anna"},
		"header, none":     {[]func(*auth.UserRule){in2("x-jwt", "JWT ")}, func(r *ruled) []string { return []string{"x-jwt", r.token(t, nil)} }, bad, ""},
		"header, twice":    {[]func(*auth.UserRule){in2("x-jwt", "")}, func(r *ruled) []string { return []string{"x-jwt", r.token(t, nil), "x-jwt", "b"} }, bad, ""},
		"header, not here": {[]func(*auth.UserRule){in2("x-jwt", "")}, func(r *ruled) []string { return []string{"x-other", r.token(t, nil)} }, "", "/"},
		"header, and then authorization is the workload's": {
			[]func(*auth.UserRule){in2("x-jwt", "")},
			func(r *ruled) []string { return []string{"authorization", "Bearer " + r.token(t, nil)} }, bad, "",
		},
		"the place of another issuer": {
			[]func(*auth.UserRule){in2("x-jwt", ""), func(u *auth.UserRule) { u.Issuer = "https://other.example" }},
			func(r *ruled) []string { return []string{"authorization", "Bearer " + r.token(t, nil)} }, bad, "",
		},
		"longest prefix": {
			[]func(*auth.UserRule){in2("x-jwt", ""), func(u *auth.UserRule) {
				u.Issuer = "https://other.example"
				in2("x-jwt", "Other ")(u)
			}},
			func(r *ruled) []string {
				return []string{"x-jwt", "Other " + r.token(t, claims{"iss": "https://other.example"})}
			}, "", "https://other.example/anna",
		},
		"whatever audience": {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{userKey, r.token(t, claims{"aud": []string{"a", "b"}})} }, "", meshName + "/anna"},
		"no audience":       {[]func(*auth.UserRule){audience("a")}, func(r *ruled) []string { return []string{userKey, r.token(t, nil)} }, bad, ""},
		"audience":          {[]func(*auth.UserRule){audience("b", "a*")}, func(r *ruled) []string { return []string{userKey, r.token(t, claims{"aud": "a*"})} }, "", meshName + "/anna"},
		"other audience":    {[]func(*auth.UserRule){audience("a*")}, func(r *ruled) []string { return []string{userKey, r.token(t, claims{"aud": "ab"})} }, bad, ""},
		"audience no text":  {[]func(*auth.UserRule){nil}, func(r *ruled) []string { return []string{userKey, r.token(t, claims{"aud": 7})} }, bad, ""},
		"second of an issuer": {
			[]func(*auth.UserRule){audience("a"), audience("b")},
			func(r *ruled) []string { return []string{"authorization", "bearer " + r.token(t, claims{"aud": "b"})} }, "", meshName + "/anna",
		},
		"neither of an issuer": {
			[]func(*auth.UserRule){audience("a"), audience("b")},
			func(r *ruled) []string { return []string{"authorization", "bearer " + r.token(t, claims{"aud": "c"})} }, bad, "",
		},
		"a workload": {[]func(*auth.UserRule){nil}, func(r *ruled) []string {
			return []string{userKey, r.token(t, claims{"sub": "spiffe://shop.example/orders"})}
		}, bad, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRuled(t)
				var rules []auth.UserRule
				for _, change := range test.rules {
					rules = append(rules, r.rule(t, change))
				}
				r.apply(t, rules...)
				r.quote(t, test.want, test.send(r)...)
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
				{Name: "x-unit", Claim: []string{"org", "unit"}}, {Name: "x-n", Claim: []string{"n"}}, {Name: "x-org", Claim: []string{"org"}},
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
