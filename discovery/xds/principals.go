package xds

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	statusv3 "github.com/envoyproxy/go-control-plane/envoy/service/status/v3"
	"google.golang.org/grpc/xds/csds"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// PrincipalError means that the control plane has an RBAC policy with principals, which allows or denies callers by
// their identities. gRPC looks for principals in TLS client certificates, which callers of Parley do not have. An allow
// policy would therefore refuse every caller, and a deny policy would accept every caller, without an error.
type PrincipalError struct {
	Resource string // the listener or the route configuration
	Policy   string // of RBAC
}

// Error returns the resource, the policy and the remedy.
func (e *PrincipalError) Error() string {
	return fmt.Sprintf(
		"xds: %s: the RBAC policy %q has principals, which gRPC looks for in "+
			"TLS client certificates. Callers have none and prove their identities with tokens; "+
			"remove that policy, and list the callers in the auth section of the method's Parley policy",
		e.Resource,
		e.Policy,
	)
}

// description is the configuration that the control plane has sent to the servers of this process.
type description struct {
	listeners map[string]*listenerv3.Listener
	routes    map[string]*routev3.RouteConfiguration
}

// serverScope is the name that gRPC gives to the xDS client that all servers of a process share (gRFC A71).
const serverScope = "#server"

// readStatus reads the configuration from gRPC with the client status discovery service, which gRPC has for operators
// (gRFC A40).
func readStatus() (description, error) {
	d := description{map[string]*listenerv3.Listener{}, map[string]*routev3.RouteConfiguration{}}
	service, err := csds.NewClientStatusDiscoveryServer()
	if err != nil {
		return d, fmt.Errorf("xds: the configuration of the listener cannot be read: %w", err)
	}
	defer service.Close()
	told, err := service.FetchClientStatus(context.Background(), &statusv3.ClientStatusRequest{})
	if err != nil {
		return d, fmt.Errorf("xds: the configuration of the listener cannot be read: %w", err)
	}
	for _, client := range told.GetConfig() {
		if client.GetClientScope() != serverScope {
			continue
		}
		for _, resource := range client.GetGenericXdsConfigs() {
			if resource.GetXdsConfig() == nil {
				continue
			}
			message, err := resource.GetXdsConfig().UnmarshalNew()
			if err != nil {
				return d, fmt.Errorf("xds: %s cannot be read: %w", resource.GetName(), err)
			}
			switch m := message.(type) {
			case *listenerv3.Listener:
				d.listeners[resource.GetName()] = m
			case *routev3.RouteConfiguration:
				d.routes[resource.GetName()] = m
			}
		}
	}
	return d, nil
}

// principals returns a [*PrincipalError] for each RBAC policy with principals of the server at address, joined. It also
// returns an error if a part of the configuration cannot be checked.
func (d description) principals(address string) error {
	var errs []error
	routes, found := map[string]bool{}, false
	for _, name := range slices.Sorted(maps.Keys(d.listeners)) {
		if listener := d.listeners[name]; listensAt(listener, address) {
			found = true
			errs = append(errs, findPrincipals(name, listener, routes))
		}
	}
	if !found {
		return fmt.Errorf(
			"xds: gRPC serves at %s and does not show the configuration that the control plane has sent "+
				"for it, so it cannot be checked; it is read again within %v",
			address,
			examineInterval,
		)
	}
	for _, name := range slices.Sorted(maps.Keys(routes)) {
		if route, ok := d.routes[name]; ok {
			errs = append(errs, findPrincipals(name, route, nil))
		}
	}
	return errors.Join(errs...)
}

// listensAt reports whether the address of the listener is address. gRPC requires that the two are the same.
func listensAt(l *listenerv3.Listener, address string) bool {
	at := l.GetAddress().GetSocketAddress()
	return net.JoinHostPort(at.GetAddress(), strconv.Itoa(int(at.GetPortValue()))) == address
}

// findPrincipals looks for RBAC in all parts of the resource, and collects the route configurations that the resource
// refers to.
func findPrincipals(name string, resource proto.Message, routes map[string]bool) error {
	var errs []error
	err := protorange.Range(resource.ProtoReflect(), func(at protopath.Values) error {
		message, ok := at.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok {
			return nil
		}
		switch m := message.Interface().(type) {
		case *managerv3.HttpConnectionManager:
			if by := m.GetRds().GetRouteConfigName(); by != "" && routes != nil {
				routes[by] = true
			}
		case *rbacfilterv3.RBAC:
			if m.GetRules().GetAction() != rbacv3.RBAC_LOG { // gRPC ignores LOG, and it ignores shadow rules
				errs = append(errs, byPrincipal(name, m.GetRules()))
			}
			return protorange.Break
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// byPrincipal returns an error for each policy that depends on the identity of the caller, joined.
func byPrincipal(resource string, rules *rbacv3.RBAC) error {
	var errs []error
	for _, policy := range slices.Sorted(maps.Keys(rules.GetPolicies())) {
		if slices.ContainsFunc(rules.GetPolicies()[policy].GetPrincipals(), identifies) {
			errs = append(errs, &PrincipalError{Resource: resource, Policy: policy})
		}
	}
	return errors.Join(errs...)
}

// identifies reports whether a principal depends on the identity of the caller, from its certificate or from another
// filter. Addresses and requests are not identities.
func identifies(p *rbacv3.Principal) bool {
	switch id := p.GetIdentifier().(type) {
	case *rbacv3.Principal_Authenticated_, *rbacv3.Principal_Metadata:
		return true
	case *rbacv3.Principal_AndIds:
		return slices.ContainsFunc(id.AndIds.GetIds(), identifies)
	case *rbacv3.Principal_OrIds:
		return slices.ContainsFunc(id.OrIds.GetIds(), identifies)
	case *rbacv3.Principal_NotId:
		return identifies(id.NotId)
	default:
		return false
	}
}
