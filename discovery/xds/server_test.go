package xds_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/parley-rpc/parley/discovery/xds"
	"github.com/parley-rpc/parley/discovery/xds/xdstest"
)

// news are the reports of a server: the reason why it does not serve, or nil if it does.
type news chan error

func (n news) notify(serving bool, why error) {
	if serving {
		why = nil
	}
	n <- why
}

// until waits for news of one kind and returns them.
func (n news) until(t testing.TB, what string, wanted func(error) bool) error {
	t.Helper()
	for {
		select {
		case why := <-n:
			if wanted(why) {
				return why
			}
		case <-t.Context().Done():
			t.Fatalf("%s: no notification", what)
		}
	}
}

func (n news) serving(t testing.TB) {
	t.Helper()
	_ = n.until(t, "serving", func(why error) bool { return why == nil })
}

// serve runs a server on a free port of the machine, with a service of health under whose name other calls can be made.
func serve(t testing.TB) (address string, n news) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n = make(news, 100)
	server, err := xds.New().NewServer(n.notify)
	if err != nil {
		t.Fatal(err)
	}
	healthv1.RegisterHealthServer(server, health.NewServer())
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "shop.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{
				MethodName: "Echo",
				Handler: func(
					_ any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor,
				) (any, error) {
					in := new(healthv1.HealthCheckRequest)
					if err := decode(in); err != nil {
						return nil, err
					}
					return interceptor(
						ctx,
						in,
						&grpc.UnaryServerInfo{FullMethod: "/shop.Echo/Echo"},
						func(context.Context, any) (any, error) {
							return &healthv1.HealthCheckResponse{}, nil
						},
					)
				},
			},
		},
		Streams: []grpc.StreamDesc{
			{StreamName: "Echoes", ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
				return s.SendMsg(&healthv1.HealthCheckResponse{})
			}},
		},
	}, nil)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
	return l.Addr().String(), n
}

func dial(t testing.TB, target string) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient(
		target,
		append(xds.New().DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cc.Close(); err != nil {
			t.Error(err)
		}
	})
	return cc
}

func echo(t testing.TB, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
	t.Helper()
	return cc.Invoke(
		t.Context(),
		"/shop.Echo/Echo",
		&healthv1.HealthCheckRequest{},
		&healthv1.HealthCheckResponse{},
		opts...)
}

func echoes(t testing.TB, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
	t.Helper()
	stream, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/shop.Echo/Echoes", opts...)
	if err != nil {
		return err
	}
	if err := errors.Join(stream.SendMsg(&healthv1.HealthCheckRequest{}), stream.CloseSend()); err != nil {
		return err
	}
	return stream.RecvMsg(&healthv1.HealthCheckResponse{})
}

// found is a server that serves and that xds:///echo leads to.
func found(t testing.TB) *xdstest.ControlPlane {
	t.Helper()
	plane := xdstest.Start(t)
	address, news := serve(t)
	plane.Put(xdstest.NewListener(t, address))
	plane.Put(xdstest.NewService(t, "echo", address).Resources()...)
	news.serving(t)
	return plane
}

// A channel finds a server through the control plane, and the server uses the configuration of the control plane.
func TestServe(t *testing.T) {
	found(t)
	cc := dial(t, "xds:///echo")
	if err := echo(t, cc); err != nil {
		t.Error(err)
	}
	if err := echoes(t, cc); err != nil {
		t.Error(err)
	}
}

// A listener that is taken back ends the serving, and one that comes again begins it.
func TestServeWhileDescribed(t *testing.T) {
	plane := xdstest.Start(t)
	address, news := serve(t)
	listener := xdstest.NewListener(t, address)
	plane.Put(listener)
	news.serving(t)
	plane.Delete(listener)
	_ = news.until(t, "the end", func(why error) bool { return why != nil })
	plane.Put(listener)
	news.serving(t)
}

// The last configuration stays in force while the control plane is down.
func TestServeWithoutControlPlane(t *testing.T) {
	plane := found(t)
	cc := dial(t, "xds:///echo")
	if err := echo(t, cc); err != nil {
		t.Fatal(err)
	}
	plane.Stop()
	for range 10 {
		if err := echo(t, cc); err != nil {
			t.Fatal(err)
		}
	}
}

func exactly(name string) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Authenticated_{Authenticated: &rbacv3.Principal_Authenticated{
		PrincipalName: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: name}},
	}}}
}

func rules(action rbacv3.RBAC_Action, principals ...*rbacv3.Principal) *rbacv3.RBAC {
	return &rbacv3.RBAC{Action: action, Policies: map[string]*rbacv3.Policy{"only-orders": {
		Permissions: []*rbacv3.Permission{{Rule: &rbacv3.Permission_Any{Any: true}}},
		Principals:  principals,
	}}}
}

func filter(t testing.TB, rules *rbacv3.RBAC) *managerv3.HttpFilter {
	t.Helper()
	return xdstest.Filter(t, "rbac", &rbacfilterv3.RBAC{Rules: rules})
}

// override is a filter that does nothing, but on the one route.
func override(t testing.TB, routes *routev3.RouteConfiguration, rules *rbacv3.RBAC) *managerv3.HttpFilter {
	t.Helper()
	config, err := anypb.New(&rbacfilterv3.RBACPerRoute{Rbac: &rbacfilterv3.RBAC{Rules: rules}})
	if err != nil {
		t.Fatal(err)
	}
	routes.VirtualHosts[0].Routes[0].TypedPerFilterConfig = map[string]*anypb.Any{"rbac": config}
	return xdstest.Filter(t, "rbac", &rbacfilterv3.RBAC{})
}

// RBAC by the identity of the caller would never match: it would refuse every caller or accept every caller.
func TestPrincipalsAreRefused(t *testing.T) {
	orders := exactly("spiffe://shop.example/orders")
	anybody := &rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}}
	not := &rbacv3.Principal{Identifier: &rbacv3.Principal_NotId{NotId: orders}}
	either := &rbacv3.Principal{
		Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: []*rbacv3.Principal{anybody, orders}}},
	}
	both := &rbacv3.Principal{
		Identifier: &rbacv3.Principal_AndIds{AndIds: &rbacv3.Principal_Set{Ids: []*rbacv3.Principal{anybody, orders}}},
	}
	noted := &rbacv3.Principal{
		Identifier: &rbacv3.Principal_Metadata{
			Metadata: &matcherv3.MetadataMatcher{ //nolint:staticcheck // gRPC knows no other form
				Filter: "envoy.filters.http.jwt_authn",
				Path:   []*matcherv3.MetadataMatcher_PathSegment{{Segment: &matcherv3.MetadataMatcher_PathSegment_Key{Key: "sub"}}},
				Value:  &matcherv3.ValueMatcher{MatchPattern: &matcherv3.ValueMatcher_PresentMatch{PresentMatch: true}},
			},
		},
	}
	nearby := &rbacv3.Principal{
		Identifier: &rbacv3.Principal_DirectRemoteIp{DirectRemoteIp: &corev3.CidrRange{AddressPrefix: "127.0.0.0"}},
	}
	for name, tt := range map[string]struct {
		filter  *managerv3.HttpFilter
		refused bool
	}{
		"allow by principal":                 {filter(t, rules(rbacv3.RBAC_ALLOW, orders)), true},
		"deny by principal":                  {filter(t, rules(rbacv3.RBAC_DENY, orders)), true},
		"allow by the lack of a principal":   {filter(t, rules(rbacv3.RBAC_ALLOW, not)), true},
		"allow by one of several principals": {filter(t, rules(rbacv3.RBAC_ALLOW, either)), true},
		"allow by several principals":        {filter(t, rules(rbacv3.RBAC_ALLOW, both)), true},
		"allow by metadata of a filter":      {filter(t, rules(rbacv3.RBAC_ALLOW, noted)), true},
		"allow by address":                   {filter(t, rules(rbacv3.RBAC_ALLOW, nearby)), false},
		"log by principal":                   {filter(t, rules(rbacv3.RBAC_LOG, orders)), false},
		"shadow rules by principal": {xdstest.Filter(t, "rbac", &rbacfilterv3.RBAC{
			Rules: rules(rbacv3.RBAC_ALLOW, nearby), ShadowRules: rules(rbacv3.RBAC_ALLOW, orders),
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			plane := xdstest.Start(t)
			address, news := serve(t)
			plane.Put(xdstest.NewListener(t, address, tt.filter))
			if !tt.refused {
				news.serving(t)
				return
			}
			refusedByPrincipal(t, news, "grpc/server?xds.resource.listening_address="+address)
		})
	}
}

func refusedByPrincipal(t testing.TB, n news, resource string) {
	t.Helper()
	why := n.until(t, "the refusal", func(why error) bool {
		_, principals := errors.AsType[*xds.PrincipalError](why)
		return principals || why == nil
	})
	principals, ok := errors.AsType[*xds.PrincipalError](why)
	if !ok {
		t.Fatal("the server serves")
	}
	if principals.Resource != resource || principals.Policy != "only-orders" ||
		!strings.Contains(principals.Error(), "list the callers in the auth section") {
		t.Errorf("the refusal is %v", principals)
	}
}

// A configuration that gRPC does not show cannot be checked.
func TestAListenerThatIsNotShownIsRefused(t *testing.T) {
	if err := xds.PrincipalsOfTheUnknown("127.0.0.1:8443"); err == nil ||
		!strings.Contains(err.Error(), "gRPC serves at 127.0.0.1:8443 and does not show") {
		t.Errorf("got %v", err)
	}
}

// Filters may be overridden for a route, within the listener or in a route configuration that has a life of its own.
func TestPrincipalsOfRoutesAreRefused(t *testing.T) {
	allow := rules(rbacv3.RBAC_ALLOW, exactly("spiffe://shop.example/orders"))
	router := xdstest.Filter(t, "router", &routerv3.Router{})
	t.Run("inline", func(t *testing.T) {
		plane := xdstest.Start(t)
		address, news := serve(t)
		routes := xdstest.ServerRoutes("inline")
		plane.Put(xdstest.ListenerWith(t, address, &managerv3.HttpConnectionManager{
			HttpFilters:    []*managerv3.HttpFilter{override(t, routes, allow), router},
			RouteSpecifier: &managerv3.HttpConnectionManager_RouteConfig{RouteConfig: routes},
		}))
		refusedByPrincipal(t, news, "grpc/server?xds.resource.listening_address="+address)
	})
	t.Run("apart", func(t *testing.T) {
		plane := xdstest.Start(t)
		address, news := serve(t)
		routes := xdstest.ServerRoutes("routes-of-echo")
		harmless := proto.CloneOf(routes)
		listener := xdstest.ListenerWith(t, address, &managerv3.HttpConnectionManager{
			HttpFilters: []*managerv3.HttpFilter{override(t, routes, allow), router},
			RouteSpecifier: &managerv3.HttpConnectionManager_Rds{Rds: &managerv3.Rds{
				ConfigSource: &corev3.ConfigSource{
					ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
				},
				RouteConfigName: "routes-of-echo",
			}},
		})
		plane.Put(listener, harmless)
		news.serving(t)
		plane.Put(routes)
		refusedByPrincipal(t, news, "routes-of-echo")
		plane.Put(harmless)
		news.serving(t)
	})
}

// A server that must not serve answers calls with UNAVAILABLE without a reason, except calls of the health service. The
// principals of another server of the process are not its own.
func TestCallsOfARefusedServer(t *testing.T) {
	plane := xdstest.Start(t)
	refused, itsNews := serve(t)
	other, othersNews := serve(t)
	plane.Put(xdstest.NewListener(t, other), xdstest.NewListener(t, refused))
	itsNews.serving(t)
	othersNews.serving(t)
	denied := xdstest.NewListener(t, refused, filter(t, rules(rbacv3.RBAC_DENY, exactly("spiffe://shop.example/mallory"))))
	plane.Put(denied)
	refusedByPrincipal(t, itsNews, denied.GetName())

	cc := dial(t, refused)
	for what, call := range map[string]func(
		testing.TB, *grpc.ClientConn, ...grpc.CallOption,
	) error{"unary": echo, "stream": echoes} {
		if err := call(t, cc); status.Code(err) != codes.Unavailable ||
			status.Convert(err).Message() != "the server does not serve; see its log" {
			t.Errorf("a %s call of a server that is refused ended with %v", what, err)
		}
	}
	if _, err := healthv1.NewHealthClient(cc).Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	if err := echo(t, dial(t, other)); err != nil {
		t.Errorf("the other server: %v", err)
	}
}
