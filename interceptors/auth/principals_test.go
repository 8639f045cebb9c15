package auth_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/profile"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	clusterName = "https://kubernetes.default.svc"
	byAccount   = "spiffe://shop.example/ns/{kubernetes.io>namespace}/sa/{kubernetes.io>serviceaccount>name}"
)

// cluster is payments, which takes the tokens of a Kubernetes cluster for those of workloads, and a client in it.
type cluster struct {
	w      *world
	by     vouching
	issuer auth.Issuer
	cc     *grpc.ClientConn
}

// newCluster lets the workloads of the namespace pay, and orders, ask for health.
func newCluster(t testing.TB, change func(*auth.Issuer)) *cluster {
	t.Helper()
	c := &cluster{w: newWorld(t), by: newVouching(t, clusterName)}
	c.w.enroll("payments", "orders")
	issuer := c.by.issuer(t)
	issuer.Profile = profile.Of(profile.Kubernetes)
	issuer.Profile.Types, issuer.Profile.RequiredClaims = []string{"JWT"}, []string{}
	issuer.Principals = &principal.Map{Template: byAccount}
	if change != nil {
		change(&issuer)
	}
	c.issuer = issuer
	c.cc = c.serve(t)
	return c
}

// serve starts payments with further options.
func (c *cluster) serve(t testing.TB, opts ...auth.ServerOption) *grpc.ClientConn {
	t.Helper()
	table := tableOf(t, policy.Code(map[string]*policyv1.Policy{"/grpc.health.v1.Health/*": {Auth: &policyv1.Auth{
		Peers: []string{"spiffe://shop.example/ns/pay/*", "orders"},
	}}}))
	roots, certificate := c.w.certificate()
	opts = append([]auth.ServerOption{auth.WithBearer(certificate), auth.WithIssuers(c.issuer)}, opts...)
	gate := c.w.identity("payments").Server(table, opts...)
	if err := gate.Check(); err != nil {
		t.Fatal(err)
	}
	s := serve(t, payments{}, gate.ServerOptions()...)
	return newStranger(t, &tokenWorld{c.w, s, roots}).ClientConn
}

func openHealth(ctx context.Context, cc *grpc.ClientConn) (grpc_health_v1.Health_WatchClient, error) {
	stream, err := grpc_health_v1.NewHealthClient(cc).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	return stream, err
}

func watchHealth(ctx context.Context, cc *grpc.ClientConn) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	_, err := openHealth(ctx, cc)
	return err
}

// token is a projected token of the service account api in the namespace pay, but for what change alters.
func (c *cluster) token(t testing.TB, change claims) string {
	t.Helper()
	return sign(t, c.by.key, "JWT", claims{
		"iss": clusterName, "sub": "system:serviceaccount:pay:api", "aud": "spiffe://shop.example/payments",
		"iat": in(0), "exp": in(10 * time.Minute),
		"kubernetes.io": claims{"namespace": "pay", "serviceaccount": claims{"name": "api"}},
	}.with(change))
}

// Who calls is what the local map makes of the claims of a foreign issuer, and nothing that the claims hold makes it
// anybody else.
func TestPrincipalsOfForeignTokens(t *testing.T) {
	const (
		good    = rpcerr.Reason("")
		invalid = rpcerr.CredentialsInvalid
		denied  = rpcerr.PolicyDenied
	)
	account := func(namespace, name any) claims {
		return claims{"kubernetes.io": claims{"namespace": namespace, "serviceaccount": claims{"name": name}}}
	}
	by := func(m principal.Map) func(*auth.Issuer) { return func(is *auth.Issuer) { is.Principals = &m } }
	dotted := by(principal.Map{Template: strings.ReplaceAll(byAccount, ">", ".")})
	app := by(principal.Map{Template: "spiffe://shop.example/{app}"})
	table := principal.Map{Claim: "app", IDs: map[string]principal.ID{"0oa1": idOf(t, "spiffe://shop.example/ns/pay/api")}}
	shared := func(is *auth.Issuer) {
		by(principal.Map{Claim: "app", IDs: map[string]principal.ID{"0oa1": idOf(t, "spiffe://shop.example/orders")}})(is)
		is.Shared = true
	}
	services := table
	services.Same = []string{"sub", "app"}
	for name, test := range map[string]struct {
		issuer func(*auth.Issuer)
		says   claims
		want   rpcerr.Reason
		log    string
	}{
		"by the template":   {nil, nil, good, ""},
		"with dots":         {dotted, nil, good, ""},
		"another namespace": {nil, account("web", "api"), denied, "peer=spiffe://shop.example/ns/web/sa/api"},
		"a namespace that looks alike": {
			nil,
			account("p\u0430y", "api"),
			invalid,
			"claim kubernetes.io>namespace cannot be a part of an ID",
		},
		"a namespace in other case": {nil, account("Pay", "api"), denied, "peer=spiffe://shop.example/ns/Pay/sa/api"},
		"a namespace that begins so": {
			nil,
			account("pay-x", "api"),
			denied,
			"peer=spiffe://shop.example/ns/pay-x/sa/api",
		},
		"a namespace with a slash": {nil, account("web/../pay", "api"), invalid, "cannot be a part of an ID"},
		"a namespace that climbs":  {nil, account("..", "pay"), invalid, "cannot be a part of an ID"},
		"a name that is a path":    {nil, account("web", "api/../../pay/sa/api"), invalid, "cannot be a part of an ID"},
		"percent":                  {nil, account("web%2f..%2fpay", "api"), invalid, "cannot be a part of an ID"},
		"an empty namespace":       {nil, account("", "api"), invalid, "cannot be a part of an ID"},
		"a template as a value":    {nil, account("{sub}", "api"), invalid, "cannot be a part of an ID"},
		"no namespace": {
			nil,
			claims{"kubernetes.io": claims{"serviceaccount": claims{"name": "api"}}},
			invalid,
			"claim kubernetes.io>namespace is missing",
		},
		"no claims of the cluster": {
			nil,
			claims{"kubernetes.io": nil},
			invalid,
			"claim kubernetes.io>namespace is missing",
		},
		"a list":   {nil, account([]string{"pay"}, "api"), invalid, "is no string"},
		"a number": {nil, account(7, "api"), invalid, "is no string"},
		"a second place of the claim": {
			dotted,
			claims{"kubernetes": claims{"io": claims{"namespace": "pay"}}},
			invalid,
			"is in two places",
		},
		"an ID as sub": {
			nil,
			claims{"sub": "spiffe://shop.example/orders", "kubernetes.io": nil},
			invalid,
			"is missing",
		},
		"by a table": {by(table), claims{"app": "0oa1"}, good, ""},
		"not in the table": {
			by(table),
			claims{"app": "0oa2"},
			invalid,
			"claim app names no workload that is listed",
		},
		"an ID in the claim": {
			by(table),
			claims{"app": "spiffe://shop.example/ns/pay/api"},
			invalid,
			"names no workload that is listed",
		},
		"of the trust directory": {
			app,
			claims{"app": "orders"},
			invalid,
			"the token names a workload that the own trust knows",
		},
		"the server itself": {
			app,
			claims{"app": "payments"},
			invalid,
			"the token names a workload that the own trust knows",
		},
		"of nobody's":                    {app, claims{"app": "billing"}, denied, "peer=spiffe://shop.example/billing"},
		"of the trust directory, shared": {shared, claims{"app": "0oa1"}, good, ""},
		"a service":                      {by(services), claims{"app": "0oa1", "sub": "0oa1"}, good, ""},
		"a user of the service": {
			by(services),
			claims{"app": "0oa1", "sub": "alice"},
			invalid,
			"claims sub and app are not the same, so it is no workload's token",
		},
		"beyond the subjects": {
			func(is *auth.Issuer) {
				is.Subjects = []principal.Pattern{idOf(t, "spiffe://shop.example/ns/pay/sa/web")}
			},
			nil, invalid, "name no workload that the issuer may vouch for",
		},
		"of another trust domain": {
			by(principal.Map{Template: "spiffe://pay.example/{app}"}),
			claims{"app": "orders"},
			denied,
			"peer=spiffe://pay.example/orders",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, test.issuer)
				code := codes.Unauthenticated
				if known, ok := map[rpcerr.Reason]codes.Code{good: codes.OK, denied: codes.PermissionDenied}[test.want]; ok {
					code = known
				}
				ctx := withBearer(t.Context(), c.token(t, test.says))
				refused(t, "unary", checkHealth(ctx, c.cc), code, test.want)
				refused(t, "again", checkHealth(ctx, c.cc), code, test.want)
				refused(t, "stream", watchHealth(ctx, c.cc), code, test.want)
				if test.log != "" && !hasLine(c.w.log.String(), []string{"parley: call refused", test.log}) {
					t.Errorf("the log does not say %q:\n%s", test.log, c.w.log)
				}
			})
		})
	}
}

func idOf(t testing.TB, text string) principal.ID {
	t.Helper()
	id, err := principal.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A workload that comes into the trust directory is its own from then on, also where a foreign issuer named it before.
func TestTheTrustDirectoryTakesAWorkloadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, func(is *auth.Issuer) {
			is.Principals = &principal.Map{Template: "spiffe://shop.example/ns/pay/{app}"}
		})
		ctx := withBearer(t.Context(), c.token(t, claims{"app": "api"}))
		refused(t, "before", checkHealth(ctx, c.cc), codes.OK, "")
		stream, err := openHealth(ctx, c.cc)
		if err != nil {
			t.Fatal(err)
		}
		c.w.enroll("ns/pay/api")
		time.Sleep(3 * time.Second)
		refused(t, "afterwards", checkHealth(ctx, c.cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
		for err == nil {
			_, err = stream.Recv()
		}
		refused(t, "the stream", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
	})
}

// Mistakes in who may name whom are found at the start.
func TestPrincipalsMistakes(t *testing.T) {
	type change = func(*auth.Issuer)
	template := func(text string) change {
		return func(is *auth.Issuer) { is.Principals = &principal.Map{Template: text} }
	}
	subjects := func(text string) change {
		return func(is *auth.Issuer) {
			p, err := principal.ParsePattern(text)
			if err != nil {
				t.Fatal(err)
			}
			is.Subjects = []principal.Pattern{p}
		}
	}
	table := func(ids ...string) change {
		return func(is *auth.Issuer) {
			is.Principals = &principal.Map{Claim: "app", IDs: map[string]principal.ID{}}
			for _, id := range ids {
				is.Principals.IDs[id] = idOf(t, id)
			}
		}
	}
	claim := func(name string) change {
		return func(is *auth.Issuer) {
			table("spiffe://shop.example/ns/pay")(is)
			is.Principals.Claim = name
		}
	}
	subject := func(id string) change {
		return func(is *auth.Issuer) { is.Subjects = []principal.Pattern{idOf(t, id)} }
	}
	with := func(first change, name, value string) change {
		return func(is *auth.Issuer) {
			first(is)
			is.Profile.RequiredValues = map[string]string{name: value}
		}
	}
	same := func(is *auth.Issuer) {
		template("spiffe://shop.example/ns/{azp}")(is)
		is.Principals.Same = []string{"sub", "azp"}
	}
	for name, test := range map[string]struct {
		a, b, user change // issuers of workloads, and one of users that is a
		want       string // "" for no mistake
	}{
		"the client of users": {
			template("spiffe://shop.example/{azp}"), nil, nil,
			`it maps "azp", which the token of a user has, too: that of a user who came through the client of a workload ` +
				"would be the workload's; list workloads by the claim that names users (Principals.Claim), or name claims that",
		},
		"the client of users, in a table": {claim("client_id"), nil, nil, `it maps "client_id", which the`},
		"the client of users at Okta":     {claim("cid"), nil, nil, `it maps "cid"`},
		"the client of users at Entra": {
			template("spiffe://shop.example/{tid}/{appid}"), nil, nil, `it maps "appid"`,
		},
		"users themselves":               {template("spiffe://shop.example/{sub}"), nil, nil, `it maps "sub"`},
		"users themselves, one by one":   {claim("sub"), nil, nil, ""},
		"the client, and a claim beside": {template("spiffe://shop.example/{job}/{azp}"), nil, nil, ""},
		"the client, told apart":         {same, nil, nil, ""},
		"the client, by a value":         {with(claim("azp"), "gty", "client-credentials"), nil, nil, ""},
		"the client, by a value of the issuer": {
			with(claim("azp"), "iss", "https://a.example"), nil, nil, `it maps "azp"`,
		},
		"the client, by a value of the preset": {func(is *auth.Issuer) {
			claim("azp")(is)
			is.Profile = profile.Of(profile.Keycloak)
		}, nil, nil, `it maps "azp"`},
		"the client, where users are refused": {func(is *auth.Issuer) {
			claim("client_id")(is)
			is.Profile.SubjectClaim, is.Profile.RefusedClaims = "client_id", []string{"sub"}
		}, nil, nil, ""},
		"subjects of the trust directory": {
			subject("spiffe://shop.example/orders"), nil, nil,
			"may name spiffe://shop.example/orders, which has a key in the trust directory; name another, or say Shared",
		},
		"subjects of it, shared": {
			func(is *auth.Issuer) { subject("spiffe://shop.example/orders")(is); is.Shared = true }, nil, nil, "",
		},
		"subjects beside it": {subject("spiffe://shop.example/till"), nil, nil, ""},
		"two templates": {
			template("spiffe://shop.example/ns/{a}/x"),
			template("spiffe://shop.example/ns/pay/{b}"),
			nil,
			"both can name one workload; narrow one of them",
		},
		"templates apart": {
			template("spiffe://shop.example/ns/{a}"),
			template("spiffe://shop.example/vm/{a}"),
			nil,
			"",
		},
		"templates that begin alike": {
			template("spiffe://shop.example/ns/{a}"),
			template("spiffe://shop.example/ns/{a}/sa"),
			nil,
			"",
		},
		"a template and a table": {
			template("spiffe://shop.example/ns/{a}"),
			table("spiffe://shop.example/ns/pay"),
			nil,
			"may name spiffe://shop.example/ns/{a}, and Issuer \"https://b.example\" may name spiffe://shop.example/ns/pay",
		},
		"a table beside the template": {
			template("spiffe://shop.example/ns/{a}"),
			table("spiffe://shop.example/vm/pay"),
			nil,
			"",
		},
		"two tables": {
			table("spiffe://shop.example/a", "spiffe://shop.example/b"),
			table("spiffe://shop.example/b"),
			nil,
			"both can name one workload",
		},
		"a template and subjects": {
			template("spiffe://shop.example/ns/{a}"),
			subjects("spiffe://shop.example/*"),
			nil,
			"both can name one workload",
		},
		"subjects and a table": {
			subjects("spiffe://shop.example/ns/*"),
			table("spiffe://shop.example/ns/pay"),
			nil,
			"both can name one workload",
		},
		"subjects and a table apart": {
			subjects("spiffe://shop.example/vm/*"),
			table("spiffe://shop.example/ns/pay"),
			nil,
			"",
		},
		"a table of the trust directory": {
			table("spiffe://shop.example/orders"),
			nil,
			nil,
			"may name spiffe://shop.example/orders, which has a key in the trust directory",
		},
		"a table of it, shared": {
			func(is *auth.Issuer) { table("spiffe://shop.example/orders")(is); is.Shared = true },
			nil,
			nil,
			"",
		},
		"subjects of a domain that is not accepted": {
			subjects("spiffe://partner.example/*"),
			nil,
			nil,
			"accept it in WithAcceptDomains, or leave the subject out",
		},
		"no map at all":         {func(*auth.Issuer) {}, nil, nil, "has no Subjects and no Principals"},
		"a map without a claim": {template("spiffe://shop.example/ns/pay"), nil, nil, "has no claim in braces"},
		"users of the issuer": {
			template("spiffe://shop.example/ns/{azp}"),
			nil,
			func(*auth.Issuer) {},
			"vouches for users as well, and nothing tells their tokens",
		},
		"users of the issuer without its scheme": {
			func(is *auth.Issuer) { template("spiffe://shop.example/ns/{azp}")(is); is.Name = "a.example" },
			nil,
			func(is *auth.Issuer) { is.Profile.BareIssuer = true },
			"vouches for users as well, and nothing tells their tokens",
		},
		"users of the issuer with its scheme": {
			func(is *auth.Issuer) {
				template("spiffe://shop.example/ns/{azp}")(is)
				is.Profile.BareIssuer = true
			},
			nil,
			func(is *auth.Issuer) { is.Name = "a.example" },
			"vouches for users as well, and nothing tells their tokens",
		},
		"users of another with that name": {
			func(is *auth.Issuer) { template("spiffe://shop.example/ns/{app}")(is); is.Name = "a.example" },
			nil,
			func(*auth.Issuer) {},
			"",
		},
		"users of it, told apart": {same, nil, func(*auth.Issuer) {}, ""},
		"users of it, by a value": {func(is *auth.Issuer) {
			template("spiffe://shop.example/ns/{azp}")(is)
			is.Profile.RequiredValues = map[string]string{"gty": "client-credentials"}
		}, nil, func(*auth.Issuer) {}, ""},
		"users of it, by a table of sub": {func(is *auth.Issuer) {
			table("spiffe://shop.example/ns/pay")(is)
			is.Principals.Claim = "sub"
		}, nil, func(*auth.Issuer) {}, ""},
		"users of it, by another name of users": {func(is *auth.Issuer) {
			table("spiffe://shop.example/ns/pay")(is)
			is.Principals.Claim = "sub"
		}, nil, func(is *auth.Issuer) { is.Profile.SubjectClaim = "oid" }, "vouches for users as well"},
		"users of it, who have a sub": {func(is *auth.Issuer) {
			table("spiffe://shop.example/ns/pay")(is)
			is.Profile.SubjectClaim, is.Profile.RefusedClaims = "azp", []string{"sub"}
		}, nil, func(*auth.Issuer) {}, ""},
		"users of it, by a value of both": {func(is *auth.Issuer) {
			template("spiffe://shop.example/ns/{azp}")(is)
			is.Profile.RequiredValues = map[string]string{"typ": "Bearer"}
		}, nil, func(is *auth.Issuer) {
			is.Profile.RequiredValues = map[string]string{"typ": "Bearer"}
		}, "vouches for users as well"},
		"users of it, by the issuer and the audience": {func(is *auth.Issuer) {
			template("spiffe://shop.example/ns/{azp}")(is)
			is.Profile.RequiredValues = map[string]string{"iss": is.Name, "aud": "spiffe://shop.example/payments"}
		}, nil, func(*auth.Issuer) {}, "vouches for users as well"},
		"users of it, by one claim twice": {func(is *auth.Issuer) {
			same(is)
			is.Principals.Same = []string{"azp", "azp"}
		}, nil, func(*auth.Issuer) {}, `Same has one claim twice, "azp" and "azp"`},
		"a map for users": {
			same,
			nil,
			same,
			"it has Principals, which are workloads, and vouches for users; leave them out",
		},
		"JWT-SVIDs, and a map": {
			func(is *auth.Issuer) { same(is); is.Profile = profile.Of(profile.Spire) },
			nil,
			nil,
			"whose tokens name their workload in sub; keep one",
		},
		"a pattern of audiences": {
			func(is *auth.Issuer) { same(is); is.Audiences = []string{"spiffe://shop.example/*"} },
			nil,
			nil,
			`Audiences: "spiffe://shop.example/*" has a star, and there are no patterns here`,
		},
		"a real star in an audience": {func(is *auth.Issuer) { same(is); is.Audiences = []string{`\*`} }, nil, nil, ""},
		"a pattern of values": {
			func(is *auth.Issuer) { same(is); is.Profile.RequiredValues = map[string]string{"role": "guest-*"} },
			nil, nil, `Profile.RequiredValues: the value of "role" "guest-*" has a star`,
		},
		"a pattern of issuers": {
			func(is *auth.Issuer) { same(is); is.Name = "https://*.example" },
			nil,
			nil,
			`Name "https://*.example" has a star`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.enroll("payments", "orders")
			_, certificate := w.certificate()
			a := newVouching(t, "https://a.example").issuer(t)
			user := a
			test.a(&a)
			opts := []auth.ServerOption{auth.WithBearer(certificate), auth.WithIssuers(a)}
			if test.b != nil {
				b := newVouching(t, "https://b.example").issuer(t)
				test.b(&b)
				opts = append(opts, auth.WithIssuers(b))
			}
			if test.user != nil {
				test.user(&user)
				opts = append(opts, auth.WithUserIssuers(user))
			}
			err := w.identity("payments").Server(nil, opts...).Check()
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("Check = %v, want %q", err, test.want)
			}
		})
	}
}

// Where an issuer vouches for both, no token is a workload's and a user's.
func TestOneIssuerOfWorkloadsAndUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var users auth.Issuer
		c := newCluster(t, func(is *auth.Issuer) {
			users = *is
			users.Principals = nil
			is.Principals = &principal.Map{Template: "spiffe://shop.example/ns/pay/{azp}", Same: []string{"sub", "azp"}}
		})
		c2 := c.serve(t, auth.WithUserIssuers(users))
		service, user := c.token(t, claims{"azp": "api", "sub": "api"}), c.token(t, claims{"azp": "api", "sub": "alice"})
		both := func(bearer, user string) context.Context {
			return auth.AttachUserToken(withBearer(t.Context(), bearer), user)
		}
		refused(t, "a service and a user", checkHealth(both(service, user), c2), codes.OK, "")
		for name, ctx := range map[string]context.Context{
			"a user as a service": withBearer(t.Context(), user), "a service as a user": both(service, service),
		} {
			refused(t, name, checkHealth(ctx, c2), codes.Unauthenticated, rpcerr.CredentialsInvalid)
		}
		if !hasLine(c.w.log.String(), []string{"the token is that of a workload and no user's"}) {
			t.Errorf("the log does not say what it is:\n%s", c.w.log)
		}
	})
}

// What tells workloads from users decides at the door of users, whether or not the workload is listed.
func TestWorkloadsAndUsersAreToldApart(t *testing.T) {
	const invalid = rpcerr.CredentialsInvalid
	table := func(is *auth.Issuer, claim string) {
		is.Principals = &principal.Map{
			Claim: claim, IDs: map[string]principal.ID{"api": idOf(t, "spiffe://shop.example/ns/pay/api")},
		}
	}
	same := func(is *auth.Issuer) { table(is, "azp"); is.Principals.Same = []string{"sub", "azp"} }
	value := func(is *auth.Issuer) {
		table(is, "azp")
		is.Profile.RequiredValues = map[string]string{"gty": "client-credentials"}
	}
	sub := func(is *auth.Issuer) {
		table(is, "azp")
		is.Profile.SubjectClaim, is.Profile.RefusedClaims = "azp", []string{"sub"}
	}
	for name, test := range map[string]struct {
		workloads     func(*auth.Issuer)
		service, user claims
		want          rpcerr.Reason
	}{
		"same, listed":              {same, nil, claims{"azp": "api", "sub": "api"}, invalid},
		"same, not listed":          {same, nil, claims{"azp": "ledger", "sub": "ledger"}, invalid},
		"same, a user":              {same, nil, claims{"azp": "api", "sub": "alice"}, ""},
		"a value, listed":           {value, nil, claims{"azp": "api", "sub": "x", "gty": "client-credentials"}, invalid},
		"a value, not listed":       {value, nil, claims{"azp": "y", "sub": "x", "gty": "client-credentials"}, invalid},
		"a value, a user":           {value, nil, claims{"azp": "api", "sub": "alice", "gty": "password"}, ""},
		"a refused sub, a user":     {sub, claims{"sub": nil}, claims{"azp": "api", "sub": "alice"}, ""},
		"a refused sub, a workload": {sub, claims{"sub": nil}, claims{"azp": "api", "sub": nil}, invalid},
		"a table of sub, listed":    {func(is *auth.Issuer) { table(is, "sub") }, nil, claims{"sub": "api"}, invalid},
		"a table of sub, a user":    {func(is *auth.Issuer) { table(is, "sub") }, nil, claims{"sub": "alice"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var users auth.Issuer
				c := newCluster(t, func(is *auth.Issuer) {
					users = *is
					users.Principals = nil
					test.workloads(is)
				})
				service := claims{"azp": "api", "sub": "api", "gty": "client-credentials"}
				maps.Copy(service, test.service)
				code := codes.OK
				if test.want != "" {
					code = codes.Unauthenticated
				}
				ctx := auth.AttachUserToken(withBearer(t.Context(), c.token(t, service)), c.token(t, test.user))
				refused(t, name, checkHealth(ctx, c.serve(t, auth.WithUserIssuers(users))), code, test.want)
			})
		})
	}
}

// The issuer of users may leave https:// out, and the one of workloads may be named without it: they are one.
func TestWorkloadsAndUsersOfABareIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var users auth.Issuer
		bare := strings.TrimPrefix(clusterName, "https://")
		c := newCluster(t, func(is *auth.Issuer) {
			users = *is
			users.Principals, users.Profile.BareIssuer = nil, true
			is.Name = bare
			is.Principals = &principal.Map{Template: "spiffe://shop.example/ns/pay/{azp}", Same: []string{"sub", "azp"}}
		})
		cc := c.serve(t, auth.WithUserIssuers(users))
		service := c.token(t, claims{"iss": bare, "azp": "api", "sub": "api"})
		with := func(user string) context.Context {
			return auth.AttachUserToken(withBearer(t.Context(), service), user)
		}
		user := c.token(t, claims{"iss": bare, "azp": "api", "sub": "alice"})
		refused(t, "a user", checkHealth(with(user), cc), codes.OK, "")
		refused(t, "a service as a user", checkHealth(with(service), cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
	})
}

// JWT-SVIDs need no iss: the trust domain of sub says whose keys count, and they are those for this use.
func TestJWTSVID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		spire, other := newVouching(t, "https://spire.partner.example"), newVouching(t, "https://spire.other.example")
		bundle := func(v vouching, domain string) auth.Issuer {
			jwk, err := v.key.Public().MarshalJWK()
			if err != nil {
				t.Fatal(err)
			}
			svid := strings.Replace(string(jwk), `"use":"sig"`, `"use":"jwt-svid"`, 1)
			point := strings.Repeat("A", 43)
			x509 := `{"use":"x509-svid","kty":"EC","crv":"P-256","x":"` + point + `","y":"` + point + `"}`
			set := `{"spiffe_sequence":1,"spiffe_refresh_hint":300,"keys":[` + x509 + `,` + svid + `]}`
			look := profile.Of(profile.Spire)
			return auth.Issuer{
				Name: v.name, Profile: look, Subjects: []principal.Pattern{domainOf(t, domain).Pattern()},
				Keys: keyset.Static([]byte(set), keyset.WithUses(look.KeyUses...)),
			}
		}
		table := tableOf(t, policy.Code(map[string]*policyv1.Policy{"/grpc.health.v1.Health/*": {Auth: &policyv1.Auth{
			Peers: []string{"spiffe://partner.example/*", "spiffe://other.example/*"},
		}}}))
		roots, certificate := w.certificate()
		partners := auth.WithAcceptDomains(domainOf(t, "partner.example"), domainOf(t, "other.example"))
		identity := w.identity("payments", partners)
		gate := identity.Server(table, auth.WithBearer(certificate),
			auth.WithIssuers(bundle(spire, "partner.example"), bundle(other, "other.example")))
		if err := gate.Check(); err != nil {
			t.Fatal(err)
		}
		s := serve(t, payments{}, gate.ServerOptions()...)
		cc := newStranger(t, &tokenWorld{w, s, roots}).ClientConn
		svid := func(key *jose.PrivateKey, typ string, change claims) string {
			return sign(t, key, typ, claims{
				"sub": "spiffe://partner.example/till", "aud": "spiffe://shop.example/payments", "exp": in(5 * time.Minute),
			}.with(change))
		}
		const good, invalid = rpcerr.Reason(""), rpcerr.CredentialsInvalid
		for name, test := range map[string]struct {
			token string
			want  rpcerr.Reason
		}{
			"without iss":               {svid(spire.key, "JWT", nil), good},
			"of type JOSE":              {svid(spire.key, "JOSE", nil), good},
			"with iss":                  {svid(spire.key, "JWT", claims{"iss": spire.name}), good},
			"of the other":              {svid(other.key, "JWT", claims{"sub": "spiffe://other.example/till"}), good},
			"by the key of the other":   {svid(other.key, "JWT", nil), invalid},
			"with the iss of the other": {svid(other.key, "JWT", claims{"iss": other.name}), invalid},
			"of the other's domain":     {svid(spire.key, "JWT", claims{"sub": "spiffe://other.example/till"}), invalid},
			"of the server's domain":    {svid(spire.key, "JWT", claims{"sub": "spiffe://shop.example/orders"}), invalid},
			"of a domain below":         {svid(spire.key, "JWT", claims{"sub": "spiffe://a.partner.example/till"}), invalid},
			"an empty iss":              {svid(spire.key, "JWT", claims{"iss": ""}), invalid},
			"an iss that is null":       {svid(spire.key, "JWT", claims{"iss": json.RawMessage("null")}), invalid},
			"a sub that is no ID":       {svid(spire.key, "JWT", claims{"sub": "till"}), invalid},
			"a domain alone":            {svid(spire.key, "JWT", claims{"sub": "spiffe://partner.example"}), invalid},
			"no sub":                    {svid(spire.key, "JWT", claims{"sub": nil}), invalid},
			"no exp":                    {svid(spire.key, "JWT", claims{"exp": nil}), invalid},
			"for another":               {svid(spire.key, "JWT", claims{"aud": "spiffe://shop.example/orders"}), invalid},
			"of type wit+jwt":           {svid(spire.key, "wit+jwt", nil), invalid},
		} {
			code := codes.Unauthenticated
			if test.want == good {
				code = codes.OK
			}
			refused(t, name, checkHealth(withBearer(t.Context(), test.token), cc), code, test.want)
		}
		twice := identity.Server(table, auth.WithBearer(certificate),
			auth.WithIssuers(bundle(spire, "partner.example"), bundle(other, "partner.example")))
		if err := twice.Check(); err == nil || !strings.Contains(err.Error(), "both vouch for partner.example without iss") {
			t.Errorf("two for one trust domain: %v", err)
		}
	})
}
