package issuer_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// mesh is a shop whose services run and prove themselves by a trust directory: edge, and orders behind it.
type mesh struct {
	*shop
	dir      string
	service  *auth.Identity // edge
	server   *auth.Identity // orders
	handlers *handlers      // of orders
}

// handlers remember whom they saw.
type handlers struct {
	ordersv1.UnimplementedOrdersServiceServer
	peer principal.Peer
	user principal.User
	next func(context.Context) error // may be nil
}

func (h *handlers) PlaceOrder(
	ctx context.Context, _ *ordersv1.PlaceOrderRequest,
) (*ordersv1.PlaceOrderResponse, error) {
	h.peer, _ = principal.PeerFromContext(ctx)
	h.user, _ = principal.UserFromContext(ctx)
	if h.next != nil {
		return &ordersv1.PlaceOrderResponse{}, h.next(ctx)
	}
	return &ordersv1.PlaceOrderResponse{}, nil
}

func newMesh(t testing.TB, opts ...auth.Option) *mesh {
	t.Helper()
	m := &mesh{shop: newShop(t), dir: filepath.Join(t.TempDir(), "state"), handlers: &handlers{}}
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{edge, orders} { // each reads what the other has published
		if err := m.identity(id, opts...).Close(); err != nil {
			t.Fatal(err)
		}
	}
	m.service, m.server = m.identity(edge), m.identity(orders)
	m.edge = m.keyOf("edge")
	client := m.edgeClient()
	client.Users.Audiences = []string{"shop.example", orders}
	m.registry = issuer.NewStatic(client)
	m.open()
	if err := m.id.Check(); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *mesh) identity(id string, opts ...auth.Option) *auth.Identity {
	m.t.Helper()
	self, err := principal.ParseID(id)
	if err != nil {
		m.t.Fatal(err)
	}
	i := auth.TrustDir(m.dir, self, append(opts, auth.WithEnroll())...)
	if err := i.Check(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = i.Close() })
	return i
}

// keyOf is the key that a service has made for itself.
func (m *mesh) keyOf(service string) *jose.PrivateKey {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "keys", "shop.example", service+".jwk"))
	if err != nil {
		m.t.Fatal(err)
	}
	key, err := jose.ParsePrivateKey(text)
	if err != nil {
		m.t.Fatal(err)
	}
	return key
}

// keySet is the issuer's keys as servers fetch them.
func (m *mesh) keySet() *keyset.Set {
	keys := keyset.URL(issuerName+"/jwks.json", keyset.WithRoundTripper(m))
	m.t.Cleanup(func() { _ = keys.Close() })
	return keys
}

// dialer reaches a server.
type dialer = func(context.Context, string) (net.Conn, error)

// serve starts orders, which edge may call, and returns how it is reached.
func (m *mesh) serve(opts ...auth.ServerOption) dialer {
	m.t.Helper()
	return m.serveAs(m.server, m.handlers, "edge", opts)
}

func (m *mesh) serveAs(
	self *auth.Identity, h *handlers, caller string, opts []auth.ServerOption, outside ...grpc.UnaryServerInterceptor,
) dialer {
	m.t.Helper()
	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{
		ordersv1.OrdersService_PlaceOrder_FullMethodName: {Auth: &policyv1.Auth{Peers: []string{caller}}},
	}))
	if err != nil {
		m.t.Fatal(err)
	}
	gate := self.Server(table, opts...)
	if err := gate.Check(); err != nil {
		m.t.Fatal(err)
	}
	server := grpc.NewServer(
		slices.Concat([]grpc.ServerOption{grpc.ChainUnaryInterceptor(outside...)}, gate.ServerOptions())...,
	)
	ordersv1.RegisterOrdersServiceServer(server, h)
	listener := bufconn.Listen(1 << 16)
	go func() { _ = server.Serve(listener) }()
	m.t.Cleanup(server.Stop)
	return func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }
}

func (m *mesh) call(ctx context.Context, dial dialer, opts ...grpc.DialOption) error {
	m.t.Helper()
	cc, err := grpc.NewClient("passthrough:///orders", append(opts, grpc.WithContextDialer(dial))...)
	if err != nil {
		m.t.Fatal(err)
	}
	defer cc.Close()
	_, err = ordersv1.NewOrdersServiceClient(cc).PlaceOrder(ctx, &ordersv1.PlaceOrderRequest{})
	return err
}

// A service gets a token from the issuer with tokens.FromIssuer, and a server that knows nothing of the service but its
// issuer lets it in, after the issuer's key has changed, too.
func TestServiceLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t)
		certificate, roots := newCertificate(t)
		dial := m.serve(auth.WithBearer(certificate), auth.WithIssuers(auth.Issuer{
			Name: issuerName, Keys: m.keySet(), Subjects: []principal.Pattern{m.service.ID().TrustDomain().Pattern()},
			Shared: true, // the services have keys of their own as well
		}))
		source := tokens.Keep(tokens.FromIssuer(
			issuerName, issuerName+"/token", m.service, tokens.WithRoundTripper(m), tokens.WithScopes("orders.read"),
		))
		defer func() { _ = source.Close() }()
		call := func() error {
			token, err := source.Token(t.Context(), m.server.ID())
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(token.Expires); left > 10*time.Minute || left < 30*time.Second {
				t.Errorf("the token ends in %v", left)
			}
			return m.call(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token.Value), dial,
				grpc.WithAuthority("localhost"),
				grpc.WithTransportCredentials(credentials.NewTLS(
					&tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS13},
				)))
		}
		if err := call(); err != nil {
			t.Fatal(err)
		}
		seen := m.handlers.peer
		if seen.ID != m.service.ID() || strings.Join(seen.Scopes, " ") != "orders.read" || seen.Claims.Names() == nil {
			t.Errorf("the handler saw %+v", seen)
		}
		if env, _ := seen.Claims.String("env"); env != "prod" {
			t.Errorf("env is %q", env)
		}
		if _, err := m.keys.Rotate(newSigner(t)); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			time.Sleep(time.Minute)
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
		if m.handlers.peer.KeyID == seen.KeyID {
			t.Error("the key has not changed")
		}
	})
}

// Alice's own token goes to the edge and no further. The edge exchanges it, and orders takes the transaction token
// beside the edge's own identity.
func TestUserReachesAServerByTransactionToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t)
		toOrders := m.serve(auth.WithTransactionTokens(auth.Issuer{Name: issuerName, Keys: m.keySet()}))
		var transaction string
		front := &handlers{next: func(ctx context.Context) error {
			r := m.post(m.userForm(ctx.Value(userToken{}).(string)))
			m.token(t, r, "txntoken+jwt")
			transaction = r.text("access_token")
			return m.call(auth.AttachTransactionToken(ctx, transaction), toOrders, m.service.DialOptions(m.server.ID())...)
		}}
		login := auth.Issuer{Name: loginName, Keys: keyset.Static(jwks(t, m.login))}
		toEdge := m.serveAs(m.service, front, "web", []auth.ServerOption{auth.WithUserIssuers(login)}, keepUserToken)
		web := m.identity("spiffe://shop.example/web")
		ctx := auth.AttachUserToken(t.Context(), sign(t, m.login, "at+jwt", alice()))
		if err := m.call(ctx, toEdge, web.DialOptions(m.service.ID())...); err != nil {
			t.Fatal(err)
		}
		if front.peer.ID != web.ID() || front.user.Subject != "alice" || front.user.Issuer != loginName ||
			front.user.Transaction != "" {
			t.Errorf("edge saw %+v for %+v", front.peer, front.user)
		}
		user := m.handlers.user
		if m.handlers.peer.ID != m.service.ID() || user.Subject != "alice" || user.Issuer != issuerName ||
			user.Requester != edge ||
			strings.Join(user.Scopes, " ") != "orders.place payments.charge" || len(user.Transaction) < 20 ||
			time.Until(user.Expires) != 2*time.Minute {
			t.Errorf("orders saw %+v for %+v", m.handlers.peer, user)
		}
		time.Sleep(3 * time.Minute)
		err := m.call(
			auth.AttachTransactionToken(t.Context(), transaction), toOrders, m.service.DialOptions(m.server.ID())...,
		)
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("after its end: %v", err)
		}
	})
}

type userToken struct{}

// keepUserToken stands outside of the gate, which takes the user's token out of the metadata.
func keepUserToken(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	token := strings.Join(metadata.ValueFromIncomingContext(ctx, auth.UserTokenKey), "")
	return handler(context.WithValue(ctx, userToken{}, token), request)
}

// Row 38: neither of the two kinds of access tokens passes for the other, although one key signs both.
func TestAttack38UsersAndServicesAreNotMixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t)
		certificate, _ := newCertificate(t)
		keys := m.keySet()
		dial := m.serve(auth.WithBearer(certificate), auth.WithUserIssuers(auth.Issuer{Name: issuerName, Keys: keys}),
			auth.WithIssuers(auth.Issuer{
				Name: issuerName, Keys: keys, Subjects: []principal.Pattern{m.service.ID().TrustDomain().Pattern()},
				Shared: true, // the services have keys of their own as well
			}))
		user := m.post(change(m.aliceForm(), url.Values{"audience": {orders}, "requested_token_type": nil}))
		own := m.post(change(m.ownForm(), url.Values{"resource": {orders}}))
		for name, test := range map[string]struct {
			key, token string
			want       codes.Code
		}{
			"the user's as the user's":    {auth.UserTokenKey, m.compact(t, user), codes.OK},
			"the service's as the user's": {auth.UserTokenKey, m.compact(t, own), codes.Unauthenticated},
			"the user's as the service's": {"authorization", "Bearer " + m.compact(t, user), codes.Unauthenticated},
		} {
			ctx := metadata.AppendToOutgoingContext(t.Context(), test.key, test.token)
			if err := m.call(ctx, dial, m.service.DialOptions(m.server.ID())...); status.Code(err) != test.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		if m.handlers.user.Subject != "alice" || m.handlers.user.Transaction != "" {
			t.Errorf("the handler saw %+v", m.handlers.user)
		}
	})
}

func (m *mesh) compact(t *testing.T, r reply) string {
	t.Helper()
	m.token(t, r, "at+jwt")
	return r.text("access_token")
}

// newCertificate returns a certificate for localhost as a server wants it, and the roots that vouch for it.
func newCertificate(t testing.TB) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), *x509.CertPool) {
	t.Helper()
	signer := newSigner(t)
	template := &x509.Certificate{
		DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	certificate := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer, Leaf: leaf}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }, roots
}
