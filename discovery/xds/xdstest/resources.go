package xdstest

import (
	"net"
	"strconv"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// listenerPrefix is the prefix of the names of servers' listeners.
const listenerPrefix = "grpc/server?xds.resource.listening_address="

// Service is the configuration that a control plane sends to the callers of xds:///<name>. Change its parts before you
// put them.
type Service struct {
	Listener  *listenerv3.Listener
	Routes    *routev3.RouteConfiguration
	Cluster   *clusterv3.Cluster
	Endpoints *endpointv3.ClusterLoadAssignment
}

// NewService returns a service with one route, to all of its addresses in turn.
func NewService(t testing.TB, name string, addresses ...string) *Service {
	t.Helper()
	manager := &managerv3.HttpConnectionManager{
		RouteSpecifier: &managerv3.HttpConnectionManager_Rds{Rds: &managerv3.Rds{ConfigSource: ads(), RouteConfigName: name}},
		HttpFilters:    []*managerv3.HttpFilter{Filter(t, "router", &routerv3.Router{})},
	}
	return &Service{
		Listener: &listenerv3.Listener{Name: name, ApiListener: &listenerv3.ApiListener{ApiListener: packed(t, manager)}},
		Routes: &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{
			Name: name, Domains: []string{"*"}, Routes: []*routev3.Route{{
				Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: name},
				}},
			}},
		}}},
		Cluster: &clusterv3.Cluster{
			Name:                 name,
			ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
			EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads(), ServiceName: name},
			LbPolicy:             clusterv3.Cluster_ROUND_ROBIN,
		},
		Endpoints: endpoints(t, name, addresses),
	}
}

// Resources returns the parts of the service, for [ControlPlane.Put].
func (s *Service) Resources() []types.Resource {
	return []types.Resource{s.Listener, s.Routes, s.Cluster, s.Endpoints}
}

func endpoints(t testing.TB, name string, addresses []string) *endpointv3.ClusterLoadAssignment {
	t.Helper()
	var all []*endpointv3.LbEndpoint
	for _, address := range addresses {
		all = append(all, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket(t, address)}},
		})
	}
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		Locality:            &corev3.Locality{Zone: "a"},
		LoadBalancingWeight: wrapperspb.UInt32(1),
		LbEndpoints:         all,
	}}}
}

// NewListener returns the configuration for the server that listens on address. The server serves every call, after the
// filters.
func NewListener(t testing.TB, address string, filters ...*managerv3.HttpFilter) *listenerv3.Listener {
	t.Helper()
	manager := &managerv3.HttpConnectionManager{
		RouteSpecifier: &managerv3.HttpConnectionManager_RouteConfig{RouteConfig: ServerRoutes("inline")},
		HttpFilters:    append(filters, Filter(t, "router", &routerv3.Router{})),
	}
	return ListenerWith(t, address, manager)
}

// ListenerWith returns a listener on address with this connection manager.
func ListenerWith(t testing.TB, address string, manager *managerv3.HttpConnectionManager) *listenerv3.Listener {
	t.Helper()
	return &listenerv3.Listener{
		Name:    listenerPrefix + address,
		Address: socket(t, address),
		DefaultFilterChain: &listenerv3.FilterChain{Name: "all", Filters: []*listenerv3.Filter{{
			Name: "manager", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)},
		}}},
	}
}

// ServerRoutes returns a route configuration for a server that accepts every call.
func ServerRoutes(name string) *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{Name: name, VirtualHosts: []*routev3.VirtualHost{{
		Name: name, Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
			Action: &routev3.Route_NonForwardingAction{NonForwardingAction: &routev3.NonForwardingAction{}},
		}},
	}}}
}

// Filter returns an HTTP filter with its configuration.
func Filter(t testing.TB, name string, config proto.Message) *managerv3.HttpFilter {
	t.Helper()
	return &managerv3.HttpFilter{Name: name, ConfigType: &managerv3.HttpFilter_TypedConfig{TypedConfig: packed(t, config)}}
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

func socket(t testing.TB, address string) *corev3.Address {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(number)},
	}}}
}

func packed(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
