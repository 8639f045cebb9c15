package istio_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	"github.com/parley-rpc/parley/frameworktest"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/policy/istio"
	"github.com/parley-rpc/parley/principal"
)

// login is an issuer of users, at https://login.example.
type login struct {
	key  ed25519.PrivateKey
	jwks string
}

func newLogin(t testing.TB) login {
	t.Helper()
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return login{key, fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":%q}]}`, segment(public))}
}

func segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// RoundTrip answers for the issuer: with its key set, and with its discovery document.
func (l login) RoundTrip(r *http.Request) (*http.Response, error) {
	text := l.jwks
	if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
		text = `{"issuer":"https://login.example","jwks_uri":"https://keys.example/set"}`
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text)),
	}, nil
}

// token is a token of the user anna, with other claims. Times count from now.
func (l login) token(t testing.TB, typ, kid string, change map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": "https://login.example", "sub": "anna", "exp": 600}
	maps.Copy(claims, change)
	for name, value := range claims {
		seconds, isTime := value.(int)
		switch {
		case value == nil:
			delete(claims, name)
		case isTime && slices.Contains([]string{"exp", "nbf", "iat"}, name):
			claims[name] = time.Now().Unix() + int64(seconds)
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"alg": "EdDSA", "kid": "k", "typ": typ}
	maps.DeleteFunc(header, func(name, value string) bool { return value == "" || name == "kid" && kid == "none" })
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	signed := segment(text) + "." + segment(payload)
	return signed + "." + segment(ed25519.Sign(l.key, []byte(signed)))
}

// usersMesh is payments, whose policies are those of a mesh, and its caller orders.
type usersMesh struct {
	folder string
	app    *framework.App
	calls  paymentsv1.PaymentsServiceClient
	seen   metadata.MD // by the handler of the last call
	user   string
}

func newUsersMesh(t *testing.T, l login, text string, opts ...framework.Option) *usersMesh {
	t.Helper()
	m := &usersMesh{folder: t.TempDir()}
	m.write(t, text)
	n := frameworktest.NewNetwork(t)
	workload := istio.Workload{Namespace: "shop", Labels: map[string]string{"app": "payments"}}
	m.app = n.App(
		"payments",
		append(opts, framework.WithRoundTripper(l), framework.WithPolicySource(istio.Dir(m.folder, workload)))...)
	paymentsv1.RegisterPaymentsServiceServer(n.Server(m.app), handler{m: m})
	m.calls = paymentsv1.NewPaymentsServiceClient(n.App("orders").Client("payments"))
	n.Start()
	return m
}

func (m *usersMesh) write(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.folder, "mesh.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

type handler struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	m *usersMesh
}

func (h handler) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	h.m.seen, _ = metadata.FromIncomingContext(ctx)
	if user, ok := principal.UserFromContext(ctx); ok {
		h.m.user = user.Issuer + "/" + user.Subject
	}
	return &paymentsv1.GetQuoteResponse{}, nil
}

func (handler) WatchCharge(
	_ *paymentsv1.WatchChargeRequest, s grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse],
) error {
	if err := s.Send(&paymentsv1.WatchChargeResponse{}); err != nil {
		return err
	}
	<-s.Context().Done()
	return nil
}

func (m *usersMesh) quote(t testing.TB, sent map[string]string) codes.Code {
	t.Helper()
	m.seen, m.user = nil, ""
	_, err := m.calls.GetQuote(metadata.NewOutgoingContext(t.Context(), metadata.New(sent)), &paymentsv1.GetQuoteRequest{})
	return status.Code(err)
}

// userCase is a case of testdata/users.yaml.
type userCase struct {
	Name, Says         string
	Rules, Allow, Deny []map[string]any
	Calls              []struct {
		Send, Sees map[string]string
		Claims     map[string]any
		Typ        *string
		Key, Kid   string
		Want, User string
	}
}

// documents are the policies of the case.
func (c userCase) documents(t testing.TB, l login) string {
	t.Helper()
	for _, rule := range c.Rules {
		if discovered, _ := rule["discovered"].(bool); !discovered && rule["jwksUri"] == nil {
			rule["jwks"] = l.jwks
		}
		delete(rule, "discovered")
	}
	text := requestAuthentication(t, c.Rules...)
	for action, rules := range map[string][]map[string]any{"ALLOW": c.Allow, "DENY": c.Deny} {
		if rules != nil {
			spec, err := json.Marshal(map[string]any{"action": action, "rules": rules})
			if err != nil {
				t.Fatal(err)
			}
			text += object("AuthorizationPolicy", "shop", strings.ToLower(action), string(spec))
		}
	}
	return text
}

func requestAuthentication(t testing.TB, rules ...map[string]any) string {
	t.Helper()
	spec, err := json.Marshal(map[string]any{"jwtRules": rules})
	if err != nil {
		t.Fatal(err)
	}
	return object("RequestAuthentication", "shop", "users", string(spec))
}

// TestUsers makes every call of testdata/users.yaml.
func TestUsers(t *testing.T) {
	text, err := os.ReadFile("testdata/users.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []userCase
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, test := range cases {
		t.Run(test.Name, func(t *testing.T) {
			if test.Says == "" || len(test.Calls) == 0 {
				t.Error("the case says neither why nor what")
			}
			synctest.Test(t, func(t *testing.T) {
				l, other := newLogin(t), newLogin(t)
				m := newUsersMesh(t, l, test.documents(t, l))
				for n, c := range test.Calls {
					typ, by := "JWT", l
					if c.Typ != nil {
						typ = *c.Typ
					}
					if c.Key == "other" {
						by = other
					}
					token := by.token(t, typ, c.Kid, c.Claims)
					fill := strings.NewReplacer("TOKEN", token, "PAYLOAD", strings.Split(token, ".")[1])
					sent := map[string]string{}
					for name, value := range c.Send {
						sent[name] = fill.Replace(value)
					}
					want := codes.OK
					if c.Want != "" {
						if err := want.UnmarshalJSON([]byte(`"` + c.Want + `"`)); err != nil {
							t.Fatal(err)
						}
					}
					if got := m.quote(t, sent); got != want || m.user != c.User {
						t.Errorf("call %d ended with %v and the user %q, want %v and %q", n, got, m.user, want, c.User)
					}
					for name, value := range c.Sees {
						if got := strings.Join(m.seen.Get(name), ","); got != fill.Replace(value) {
							t.Errorf("call %d: the handler saw %q in %s, want %q", n, got, name, fill.Replace(value))
						}
					}
				}
			})
		})
	}
}
