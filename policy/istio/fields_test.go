package istio_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	securityv1 "istio.io/api/security/v1beta1"
)

// A field that a newer version of Istio's types brings must be given a meaning here, or be refused: what is read and
// ignored lets callers in.
func TestFields(t *testing.T) {
	for _, test := range []struct {
		m    proto.Message
		want []protoreflect.Name
	}{
		{&securityv1.AuthorizationPolicy{}, []protoreflect.Name{
			"action", "provider", "rules", "selector", "targetRef", "targetRefs",
		}},
		{&securityv1.Rule{}, []protoreflect.Name{"from", "to", "when"}},
		{&securityv1.Rule_From{}, []protoreflect.Name{"source"}},
		{&securityv1.Rule_To{}, []protoreflect.Name{"operation"}},
		{&securityv1.Source{}, []protoreflect.Name{
			"ip_blocks", "namespaces", "not_ip_blocks", "not_namespaces", "not_principals", "not_remote_ip_blocks",
			"not_request_principals", "not_service_accounts", "not_trust_domains", "principals", "remote_ip_blocks",
			"request_principals", "service_accounts", "trust_domains",
		}},
		{&securityv1.Operation{}, []protoreflect.Name{
			"hosts", "methods", "not_hosts", "not_methods", "not_paths", "not_ports", "paths", "ports",
		}},
		{&securityv1.Condition{}, []protoreflect.Name{"key", "not_values", "values"}},
	} {
		fields := test.m.ProtoReflect().Descriptor().Fields()
		var got []protoreflect.Name
		for i := range fields.Len() {
			got = append(got, fields.Get(i).Name())
		}
		slices.Sort(got)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s has the fields %q, want %q", test.m.ProtoReflect().Descriptor().Name(), got, test.want)
		}
	}
}
