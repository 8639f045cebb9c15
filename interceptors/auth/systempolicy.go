package auth

import policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"

// HealthPolicy is the decision that servers usually want for gRPC's own health service, whose .proto states none: anyone
// may ask. It is for a layer of the policy table, as [policy.Code] makes one; the health service must be linked.
func HealthPolicy() map[string]*policyv1.Policy {
	return systemPolicy(policyv1.Access_ACCESS_ANONYMOUS, "/grpc.health.v1.Health/*")
}

// ReflectionPolicy is what [HealthPolicy] is, for gRPC's reflection service in both of its versions: any workload that has
// proven who it is may ask.
func ReflectionPolicy() map[string]*policyv1.Policy {
	return systemPolicy(policyv1.Access_ACCESS_AUTHENTICATED,
		"/grpc.reflection.v1.ServerReflection/*", "/grpc.reflection.v1alpha.ServerReflection/*")
}

func systemPolicy(access policyv1.Access, services ...string) map[string]*policyv1.Policy {
	policies := make(map[string]*policyv1.Policy, len(services))
	for _, service := range services {
		policies[service] = &policyv1.Policy{Auth: &policyv1.Auth{Access: access.Enum()}}
	}
	return policies
}
