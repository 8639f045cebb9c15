package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"

	"google.golang.org/grpc"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
)

const trustDomain = "shop.example"

// shop is every service of the example. In real life each is a process of its own.
type shop struct {
	out         io.Writer
	login, mint *issuer

	edge, orders, payments *service
	web                    web
	closing                []func() error

	mu   sync.Mutex
	seen []sight
}

// service is one running server, and where it is.
type service struct {
	id      principal.ID
	address string
}

// web is the workload in front, to which people's browsers talk, and its clients.
type web struct {
	edge     ordersv1.OrdersServiceClient
	orders   ordersv1.OrdersServiceClient
	payments paymentsv1.PaymentsServiceClient
}

// sight is the caller and the user that a handler saw.
type sight struct{ service, user string }

func openShop(dir string, out io.Writer) (*shop, error) {
	s := &shop{out: out}
	if err := s.open(dir); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *shop) open(dir string) (err error) {
	if s.login, err = newIssuer("https://login.shop.example"); err != nil {
		return err
	}
	if s.mint, err = newIssuer("https://txn.shop.example"); err != nil {
		return err
	}
	who := map[string]*auth.Identity{}
	for _, name := range []string{"web", "edge", "orders", "payments"} { // all keys, before the services start
		if who[name], err = s.enroll(dir, name); err != nil {
			return err
		}
	}
	s.payments, err = s.serve(who["payments"], paymentsPolicy(), func(srv *grpc.Server) {
		paymentsv1.RegisterPaymentsServiceServer(srv, &payments{shop: s})
	}, auth.WithTransactionTokens(s.mint.trusted()))
	if err != nil {
		return err
	}
	toPayments, err := s.dial(who["orders"], s.payments, auth.Forward().DialOptions()...)
	if err != nil {
		return err
	}
	s.orders, err = s.serve(who["orders"], ordersPolicy(s.mint.name), func(srv *grpc.Server) {
		ordersv1.RegisterOrdersServiceServer(srv, &orders{shop: s, payments: paymentsv1.NewPaymentsServiceClient(toPayments)})
	}, auth.WithTransactionTokens(s.mint.trusted()))
	if err != nil {
		return err
	}
	toOrders, err := s.dial(who["edge"], s.orders)
	if err != nil {
		return err
	}
	s.edge, err = s.serve(who["edge"], edgePolicy(s.login.name), func(srv *grpc.Server) {
		ordersv1.RegisterOrdersServiceServer(srv, &edge{shop: s, orders: ordersv1.NewOrdersServiceClient(toOrders)})
	}, auth.WithUserIssuers(s.login.trusted()), auth.WithStepUp())
	if err != nil {
		return err
	}
	return s.openWeb(who["web"])
}

func (s *shop) openWeb(id *auth.Identity) error {
	toEdge, err := s.dial(id, s.edge)
	if err != nil {
		return err
	}
	toOrders, err := s.dial(id, s.orders)
	if err != nil {
		return err
	}
	toPayments, err := s.dial(id, s.payments)
	if err != nil {
		return err
	}
	s.web = web{
		ordersv1.NewOrdersServiceClient(toEdge), ordersv1.NewOrdersServiceClient(toOrders),
		paymentsv1.NewPaymentsServiceClient(toPayments),
	}
	return nil
}

const placeOrder = ordersv1.OrdersService_PlaceOrder_FullMethodName

// edgePolicy allows calls of the web front, with a user who has logged in and may place orders.
func edgePolicy(login string) map[string]*policyv1.Policy {
	return map[string]*policyv1.Policy{placeOrder: {Auth: &policyv1.Auth{
		Peers: []string{"web"},
		User: &policyv1.User{
			Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum(), Issuers: []string{login},
			Scopes: []string{"orders.place"},
		},
	}}}
}

// ordersPolicy allows calls of the edge, within a transaction.
func ordersPolicy(mint string) map[string]*policyv1.Policy {
	return map[string]*policyv1.Policy{placeOrder: {Auth: &policyv1.Auth{
		Allow: []*policyv1.Rule{{
			Name: new("from-the-edge"), Peers: []string{"edge"},
			User: &policyv1.UserCondition{Issuers: []string{mint}, Scopes: []string{"orders.place"}},
		}},
	}}}
}

// paymentsPolicy tightens the .proto, which allows calls of orders: there must be a user whose transaction may charge.
func paymentsPolicy() map[string]*policyv1.Policy {
	return map[string]*policyv1.Policy{paymentsv1.PaymentsService_Charge_FullMethodName: {Auth: &policyv1.Auth{
		User: &policyv1.User{Presence: policyv1.Presence_PRESENCE_REQUIRED.Enum(), Scopes: []string{"payments.charge"}},
	}}}
}

func (s *shop) enroll(dir, name string) (*auth.Identity, error) {
	domain, err := principal.ParseTrustDomain(trustDomain)
	if err != nil {
		return nil, err
	}
	id, err := domain.ID(name)
	if err != nil {
		return nil, err
	}
	identity := auth.TrustDir(dir, id, auth.WithEnroll())
	s.closing = append(s.closing, identity.Close)
	return identity, identity.Check()
}

// serve starts a plain gRPC server that takes calls in connection mode.
func (s *shop) serve(identity *auth.Identity, policies map[string]*policyv1.Policy, register func(*grpc.Server),
	options ...auth.ServerOption,
) (*service, error) {
	table, err := policy.New(policy.Code(policies))
	if err != nil {
		return nil, err
	}
	gate := identity.Server(table, options...)
	srv := grpc.NewServer(gate.ServerOptions()...)
	register(srv)
	if err := errors.Join(gate.Check(), gate.Resolve(methods(srv)...)); err != nil {
		return nil, err
	}
	lis, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(lis) }()
	s.closing = append(s.closing, func() error { srv.Stop(); return <-ended })
	return &service{identity.ID(), lis.Addr().String()}, nil
}

func methods(srv *grpc.Server) []string {
	var names []string
	for service, info := range srv.GetServiceInfo() {
		for _, m := range info.Methods {
			names = append(names, "/"+service+"/"+m.Name)
		}
	}
	return names
}

func (s *shop) dial(from *auth.Identity, to *service, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	cc, err := grpc.NewClient(to.address, slices.Concat(options, from.DialOptions(to.id))...)
	if err == nil {
		s.closing = append(s.closing, cc.Close)
	}
	return cc, err
}

// saw prints the caller and the user of a call.
func (s *shop) saw(ctx context.Context, name string) {
	peer, _ := principal.PeerFromContext(ctx)
	user, _ := principal.UserFromContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, sight{name, user.Subject})
	fmt.Fprintf(s.out, "   %-8s is called by %s for %s, as %s says.\n", name, peer.ID.Service(), user.Subject, user.Issuer)
}

// sawOnly checks that exactly these services were called since it was asked last, in this order and for this user.
func (s *shop) sawOnly(user string, services ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var want []sight
	for _, name := range services {
		want = append(want, sight{name, user})
	}
	if !slices.Equal(s.seen, want) {
		return fmt.Errorf("the handlers saw %v, want %v", s.seen, want)
	}
	s.seen = nil
	return nil
}

func (s *shop) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

func (s *shop) close() error {
	var errs []error
	for _, end := range slices.Backward(s.closing) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
