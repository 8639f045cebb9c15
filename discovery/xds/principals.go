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

// PrincipalError says that the control plane wants callers to be allowed or denied by who they are. gRPC compares such
// principals with TLS client certificates, which callers of Parley do not have: an allow policy would shut everybody
// out, and a deny policy would let everybody in, without a word.
type PrincipalError struct {
	Resource string // the listener or the route configuration
	Policy   string // of RBAC
}

// Error names resource and policy, and what to do.
func (e *PrincipalError) Error() string {
	return fmt.Sprintf(
		"xds: %s: the RBAC policy %q decides by principals, which gRPC looks for in "+
			"TLS client certificates and would never find: callers prove who they are with tokens; "+
			"take the policy out there, and name who may call in the auth section of the method's Parley policy",
		e.Resource,
		e.Policy,
	)
}

// description is what the control plane has told the servers of this process.
type description struct {
	listeners map[string]*listenerv3.Listener
	routes    map[string]*routev3.RouteConfiguration
}

// serverScope is how gRPC names the client of xDS that all servers of a process share (gRFC A71).
const serverScope = "#server"

// readStatus asks gRPC for what it has been told, by the service that it offers to operators for that (gRFC A40).
func readStatus() (description, error) {
	d := description{map[string]*listenerv3.Listener{}, map[string]*routev3.RouteConfiguration{}}
	service, err := csds.NewClientStatusDiscoveryServer()
	if err != nil {
		return d, fmt.Errorf("xds: the description of the listener cannot be read: %w", err)
	}
	defer service.Close()
	told, err := service.FetchClientStatus(context.Background(), &statusv3.ClientStatusRequest{})
	if err != nil {
		return d, fmt.Errorf("xds: the description of the listener cannot be read: %w", err)
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

// principals returns a [*PrincipalError] for each policy by which callers of the server at address would be allowed or
// denied by who they are, joined. What cannot be looked through is not taken for harmless.
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
			"xds: gRPC serves at %s and does not show what the control plane has said "+
				"about it, so it may be anything; it is read again within %v",
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

// listensAt reports whether the listener is that of an address: gRPC demands that the two are the same.
func listensAt(l *listenerv3.Listener, address string) bool {
	at := l.GetAddress().GetSocketAddress()
	return net.JoinHostPort(at.GetAddress(), strconv.Itoa(int(at.GetPortValue()))) == address
}

// findPrincipals looks for RBAC in everything that the resource holds, and notes the route configurations that it
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
			if m.GetRules().GetAction() != rbacv3.RBAC_LOG { // which gRPC ignores, as it does shadow rules
				errs = append(errs, byPrincipal(name, m.GetRules()))
			}
			return protorange.Break
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// byPrincipal returns an error for each of the policies that looks at who the caller is, joined.
func byPrincipal(resource string, rules *rbacv3.RBAC) error {
	var errs []error
	for _, policy := range slices.Sorted(maps.Keys(rules.GetPolicies())) {
		if slices.ContainsFunc(rules.GetPolicies()[policy].GetPrincipals(), identifies) {
			errs = append(errs, &PrincipalError{Resource: resource, Policy: policy})
		}
	}
	return errors.Join(errs...)
}

// identifies reports whether a principal stands for who the caller is, as its certificate or what another filter knows
// of it says, and not for where it calls from or what.
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
