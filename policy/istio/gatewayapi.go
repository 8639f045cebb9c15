package istio

import "time"

// What is read of GRPCRoute and HTTPRoute (sigs.k8s.io/gateway-api v1.6, apis/v1). What has no meaning here is unread.

const (
	kindGRPCRoute = "GRPCRoute"
	kindHTTPRoute = "HTTPRoute"
)

type gatewayRouteSpec[Match any] struct {
	ParentRefs         []parentRef          `yaml:"parentRefs"`
	UseDefaultGateways string               `yaml:"useDefaultGateways"`
	Hostnames          []string             `yaml:"hostnames"`
	Rules              []gatewayRule[Match] `yaml:"rules"`
}

type parentRef struct {
	Group       *string `yaml:"group"`
	Kind        *string `yaml:"kind"`
	Namespace   string  `yaml:"namespace"`
	Name        string  `yaml:"name"`
	SectionName string  `yaml:"sectionName"`
	Port        int64   `yaml:"port"`
}

// gatewayRule is a rule. Rules of a GRPCRoute have neither timeouts nor retries.
type gatewayRule[Match any] struct {
	Name               string           `yaml:"name"`
	Matches            []Match          `yaml:"matches"`
	Filters            []gatewayFilter  `yaml:"filters"`
	BackendRefs        []gatewayBackend `yaml:"backendRefs"`
	SessionPersistence unread           `yaml:"sessionPersistence"`
	Timeouts           gatewayTimeouts  `yaml:"timeouts"`
	Retry              *gatewayRetry    `yaml:"retry"`
}

type gatewayTimeouts struct {
	Request        time.Duration `yaml:"request"`
	BackendRequest time.Duration `yaml:"backendRequest"`
}

type gatewayRetry struct {
	Codes    []int64       `yaml:"codes"`
	Attempts *int64        `yaml:"attempts"`
	Backoff  time.Duration `yaml:"backoff"`
}

type grpcMatch struct {
	Method  *grpcMethod   `yaml:"method"`
	Headers []headerMatch `yaml:"headers"`
}

type grpcMethod struct {
	Type    string `yaml:"type"`
	Service string `yaml:"service"`
	Method  string `yaml:"method"`
}

type httpMatch struct {
	Path        *httpPath     `yaml:"path"`
	Headers     []headerMatch `yaml:"headers"`
	QueryParams []headerMatch `yaml:"queryParams"`
	Method      string        `yaml:"method"`
}

type httpPath struct {
	Type  string  `yaml:"type"`
	Value *string `yaml:"value"`
}

// headerMatch is about a header or a parameter, neither of which is known before a call.
type headerMatch struct {
	Type  string `yaml:"type"`
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

type gatewayFilter struct {
	Type    string `yaml:"type"`
	Headers unread `yaml:"requestHeaderModifier,responseHeaderModifier"`
	Calls   unread `yaml:"requestMirror,requestRedirect,urlRewrite,cors,externalAuth,extensionRef"`
}

type gatewayBackend struct {
	Group     string          `yaml:"group"`
	Kind      string          `yaml:"kind"`
	Name      string          `yaml:"name"`
	Namespace string          `yaml:"namespace"`
	Port      int64           `yaml:"port"`
	Weight    *int64          `yaml:"weight"`
	Filters   []gatewayFilter `yaml:"filters"`
}
