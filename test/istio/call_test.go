package istio_test

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/netip"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/test/istio/envoy"
)

// call is what a rule can ask of a call.
type call struct {
	id            string // "" for a caller that has proven nothing
	method        string
	remote, local netip.AddrPort // not valid where the connection has no such address
	headers       metadata.MD
	claims        map[string]any // of the user's token, nil without one
}

// context is the context of the call as gRPC makes it, and what a server has proven of it.
func (c call) context(t testing.TB) (context.Context, policy.Call) {
	t.Helper()
	p := &peer.Peer{Addr: &net.UnixAddr{}, LocalAddr: &net.UnixAddr{}}
	if c.remote.IsValid() {
		p.Addr = net.TCPAddrFromAddrPort(c.remote)
	}
	if c.local.IsValid() {
		p.LocalAddr = net.TCPAddrFromAddrPort(c.local)
	}
	ctx := metadata.NewIncomingContext(peer.NewContext(t.Context(), p), c.headers)
	made := policy.Call{Method: c.method}
	if c.id != "" {
		id, err := principal.ParseID(c.id)
		if err != nil {
			t.Fatal(err)
		}
		made.Peer = &principal.Peer{ID: id}
	}
	if c.claims != nil {
		object, err := json.Marshal(c.claims)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := principal.ParseClaims(object)
		if err != nil {
			t.Fatal(err)
		}
		made.User = &principal.User{Claims: claims}
		made.User.Issuer, _ = claims.String("iss")
		made.User.Subject, _ = claims.String("sub")
	}
	return ctx, made
}

// request is the call as it reaches the filters of a sidecar. Istio lets the claims scope and permission be lists of
// words.
func (c call) request() *envoy.Request {
	r := &envoy.Request{
		Peer: c.id, Path: c.method, Method: "POST", Headers: c.headers, Remote: c.remote.Addr().Unmap(), Local: c.local,
	}
	if c.claims != nil {
		r.Claims = envoy.Payload(c.claims, "scope", "permission")
	}
	return r
}

// meet changes the call so that it has a value that a rule states, if such a call can be.
func (r random) meet(c *call, key, value string) {
	domain, _, _ := strings.Cut(strings.TrimPrefix(c.id, "spiffe://"), "/")
	if domain == "" {
		domain = "mesh.example"
	}
	filled := r.fill(value)
	switch key {
	case "source.principal":
		r.identify(c, filled)
	case "source.namespace":
		r.identify(c, domain+"/ns/"+filled+"/sa/web")
	case "source.serviceAccount":
		namespace, name, ok := strings.Cut(value, "/")
		if !ok {
			namespace, name = r.pick("shop", "istio-system", "foo"), value
		}
		r.identify(c, domain+"/ns/"+namespace+"/sa/"+name)
	case "source.trustDomain":
		r.identify(c, filled+"/ns/shop/sa/web")
	case "source.ip", "remote.ip":
		c.remote = addressIn(value, c.remote)
	case "destination.ip":
		c.local = addressIn(value, c.local)
	case "destination.port":
		if port, err := netip.ParseAddrPort("0.0.0.0:" + value); err == nil && c.local.IsValid() {
			c.local = netip.AddrPortFrom(c.local.Addr(), port.Port())
		}
	case "hosts", "request.headers[host]":
		c.headers[":authority"] = []string{r.inCase(filled)}
	case "methods", "request.headers[:method]":
	case "paths", "request.headers[:path]":
		c.method = "/" + strings.TrimPrefix(r.fillTemplate(value), "/")
	case "request.auth.principal":
		cut := strings.LastIndexByte(value, '/')
		if cut < 0 {
			c.claim(r.fill(value), "iss")
			c.claim(r.fill(value), "sub")
			break
		}
		c.claim(r.fill(value[:cut]), "iss")
		c.claim(r.fill(value[cut+1:]), "sub")
	case "request.auth.audiences":
		c.claim(r.alone(filled), "aud")
	case "request.auth.presenter":
		c.claim(r.alone(filled), "azp")
	default:
		if name, ok := strings.CutPrefix(key, "request.headers["); ok {
			c.headers[strings.ToLower(strings.TrimSuffix(name, "]"))] = []string{filled}
			break
		}
		path := strings.Split(strings.TrimSuffix(strings.TrimPrefix(key, "request.auth.claims["), "]"), "][")
		if len(path) == 1 && (path[0] == "iss" || path[0] == "sub") {
			c.claim(filled, path...)
			break
		}
		c.claim(r.alone(filled), path...)
	}
}

// identify gives the caller an ID, unless none can be like it.
func (r random) identify(c *call, path string) {
	if _, err := principal.ParseID("spiffe://" + path); err == nil {
		c.id = "spiffe://" + path
	}
}

// claim sets a claim of the user.
func (c *call) claim(value any, path ...string) {
	claims := maps.Clone(c.claims)
	if claims == nil {
		claims = map[string]any{"iss": "https://login.example", "sub": "anna"}
	}
	c.claims = claims
	for _, name := range path[:len(path)-1] {
		inner := map[string]any{}
		claims[name] = inner
		claims = inner
	}
	claims[path[len(path)-1]] = value
}

// alone is a value of a claim, sometimes within a list.
func (r random) alone(value string) any {
	if r.IntN(2) == 0 {
		return value
	}
	return []any{r.pick("other", "dev"), value}
}

// addressIn is an address of a block, and the old one where there is none.
func addressIn(block string, old netip.AddrPort) netip.AddrPort {
	if p, err := netip.ParsePrefix(block); err == nil {
		return netip.AddrPortFrom(p.Addr(), old.Port())
	}
	if a, err := netip.ParseAddr(block); err == nil {
		return netip.AddrPortFrom(a, old.Port())
	}
	return old
}

// fill puts something in the place of each asterisk.
func (r random) fill(value string) string {
	for strings.Contains(value, "*") {
		value = strings.Replace(value, "*", r.pick("", "x", "web", "mesh.example/ns/shop", "mesh.example", "a/b"), 1)
	}
	return value
}

// fillTemplate is fill for a path, which may be a template.
func (r random) fillTemplate(value string) string {
	value = strings.ReplaceAll(value, "{**}", r.pick("", "a", "a/b", "shop.orders.v1.OrdersService"))
	value = strings.ReplaceAll(value, "{*}", r.pick("a", "a.b", "shop.orders.v1.OrdersService", "GetOrder", ""))
	return r.fill(value)
}

// inCase changes the case of a text, sometimes.
func (r random) inCase(text string) string {
	if r.IntN(3) == 0 {
		return strings.ToUpper(text)
	}
	return text
}
