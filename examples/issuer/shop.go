package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/issuer"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

// shop is an issuer, payments, which believes it, and two services that want tokens. Each has a trust directory of its
// own, so that none of them knows a key of another.
type shop struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	out     io.Writer
	dir     string
	keys    *issuer.Keys
	web     *httptest.Server // the issuer, with a certificate made on the spot
	address string           // of payments
	seen    principal.Peer   // by payments
	closing []func() error

	orders, mallory, payments *auth.Identity
}

func openShop(dir string, out io.Writer) (*shop, error) {
	s := &shop{out: out, dir: dir}
	if err := errors.Join(s.enroll(&s.orders, "orders", "orders"), s.enroll(&s.mallory, "mallory", "orders"),
		s.enroll(&s.payments, "payments", "payments")); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if err := errors.Join(s.openIssuer(), s.openPayments()); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// enroll makes a key for the service that is called name, in a folder.
func (s *shop) enroll(who **auth.Identity, folder, name string) error {
	id, err := principal.ParseID("spiffe://shop.example/" + name)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(s.dir, folder), 0o700); err != nil {
		return err
	}
	*who = auth.TrustDir(filepath.Join(s.dir, folder), id, auth.WithEnroll())
	s.closing = append(s.closing, (*who).Close)
	return (*who).Check()
}

func (s *shop) openIssuer() error {
	jwks, err := s.publicKey("orders")
	if err != nil {
		return err
	}
	first, err := newKey()
	if err != nil {
		return err
	}
	s.keys = issuer.NewKeys(first)
	s.web = httptest.NewUnstartedServer(nil)
	id := issuer.New("https://"+s.web.Listener.Addr().String(), s.keys, issuer.NewStatic(issuer.Client{
		ID: s.orders.ID().String(), JWKS: jwks,
		Own: issuer.Grant{Audiences: []string{s.payments.ID().String()}, Scopes: []string{"payments.quote"}},
	}))
	s.web.Config.Handler = id
	s.web.StartTLS()
	s.closing = append(s.closing, id.Close, func() error { s.web.Close(); return nil })
	return id.Check()
}

// publicKey is the key set of a service, from its trust directory.
func (s *shop) publicKey(service string) ([]byte, error) {
	found, err := filepath.Glob(filepath.Join(s.dir, service, "trust", "shop.example", service+".*.json"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("%d keys of %s, %w", len(found), service, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return nil, err
	}
	var entry struct {
		JWK json.RawMessage `json:"jwk"`
	}
	err = json.Unmarshal(text, &entry)
	return fmt.Appendf(nil, `{"keys":[%s]}`, entry.JWK), err
}

// openPayments starts a gRPC server that accepts callers for which the issuer vouches.
func (s *shop) openPayments() error {
	table, err := policy.New(policy.Code(map[string]*policyv1.Policy{
		paymentsv1.PaymentsService_GetQuote_FullMethodName: {Auth: &policyv1.Auth{Scopes: []string{"payments.quote"}}},
	}))
	if err != nil {
		return err
	}
	keys := keyset.URL(s.web.URL+"/jwks.json", keyset.WithRoundTripper(s.web.Client().Transport))
	s.closing = append(s.closing, keys.Close)
	certificate := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &s.web.TLS.Certificates[0], nil }
	gate := s.payments.Server(table, auth.WithBearer(certificate), auth.WithIssuers(auth.Issuer{
		Name: s.web.URL, Keys: keys, Subjects: []principal.Pattern{s.payments.ID().TrustDomain().Pattern()},
	}))
	srv := grpc.NewServer(gate.ServerOptions()...)
	paymentsv1.RegisterPaymentsServiceServer(srv, s)
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address = lis.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(lis) }()
	s.closing = append(s.closing, func() error { srv.Stop(); return <-ended })
	return gate.Check()
}

// GetQuote is the method that orders calls. It remembers who did.
func (s *shop) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	s.seen, _ = principal.PeerFromContext(ctx)
	return &paymentsv1.GetQuoteResponse{}, nil
}

// pay calls payments as any gRPC client does that has a bearer token.
func (s *shop) pay(ctx context.Context, token string) error {
	roots := x509.NewCertPool()
	roots.AddCert(s.web.Certificate())
	cc, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		RootCAs:    roots,
		MinVersion: tls.VersionTLS13,
	})))
	if err != nil {
		return err
	}
	defer func() { _ = cc.Close() }()
	_, err = paymentsv1.NewPaymentsServiceClient(cc).GetQuote(
		metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), &paymentsv1.GetQuoteRequest{})
	return err
}

func newKey() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func (s *shop) close() error {
	var errs []error
	for _, end := range slices.Backward(s.closing) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
