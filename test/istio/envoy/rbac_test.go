package envoy_test

import (
	"net/netip"
	"testing"

	rbachttp "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/encoding/protojson"

	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/path/match/uri_template/v3" // read from an Any

	"github.com/parley-rpc/parley/test/istio/envoy"
)

// TestJudge asks about one request by each matcher.
func TestJudge(t *testing.T) {
	request := &envoy.Request{
		Peer: "spiffe://a/ns/b/sa/c", Path: "/s/M?x#y", Method: "POST",
		Headers: map[string][]string{":authority": {"Shop:80"}, "x-a": {"1", "2"}, "x-b": {""}},
		Remote:  netip.MustParseAddr("::ffff:10.1.2.3"), Local: netip.MustParseAddrPort("[fd00::1]:80"),
		Claims: envoy.Payload(map[string]any{
			"iss": "i", "aud": []any{"x", 1, "y"}, "scope": " a  b ", "permission": "  ", "n": 1, "r": map[string]any{"s": "t"},
			"line": "a\nb",
		}, "scope", "permission"),
	}
	const any = `{"any": true}`
	claim := func(path, matcher string) string {
		return `{"metadata": {"filter": "envoy.filters.http.jwt_authn", "path": [{"key": "payload"}, ` + path + `],
			"value": ` + matcher + `}}`
	}
	template := func(text string) string {
		return `{"uri_template": {"name": "t", "typed_config": {"path_template": "` + text + `", "@type":
			"type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"}}}`
	}
	evaluator := &envoy.Evaluator{}
	for _, test := range []struct {
		permission, principal string
		want                  bool
	}{
		{any, any, true},
		{`{"not_rule": {"any": true}}`, any, false},
		{`{"and_rules": {"rules": [{"any": true}, {"not_rule": {"any": true}}]}}`, any, false},
		{`{"or_rules": {"rules": [{"not_rule": {"any": true}}, {"any": true}]}}`, any, true},
		{`{"url_path": {"path": {"exact": "/s/M"}}}`, any, true},
		{`{"url_path": {"path": {"prefix": "/s"}}}`, any, true},
		{`{"url_path": {"path": {"suffix": "/s"}}}`, any, false},
		{template("/*/M"), any, true},
		{template("/*"), any, false},
		{template("/**"), any, true},
		{template("/**/M"), any, true},
		{template("/s/**/M"), any, false},
		{`{"header": {"name": ":path", "string_match": {"exact": "/s/M"}}}`, any, false},
		{`{"header": {"name": ":method", "string_match": {"exact": "POST"}}}`, any, true},
		{`{"header": {"name": "Host", "string_match": {"exact": "sHOP:80", "ignore_case": true}}}`, any, true},
		{`{"header": {"name": "Host", "string_match": {"exact": "shop:80"}}}`, any, false},
		{`{"destination_ip": {"address_prefix": "fd00::", "prefix_len": 8}}`, any, true},
		{`{"destination_ip": {"address_prefix": "10.0.0.0", "prefix_len": 0}}`, any, false},
		{`{"destination_port": 80}`, any, true},
		{`{"destination_port": 0}`, any, false},
		{any, `{"and_ids": {"ids": [{"any": true}, {"not_id": {"any": true}}]}}`, false},
		{any, `{"or_ids": {"ids": [{"not_id": {"any": true}}, {"any": true}]}}`, true},
		{any, `{"header": {"name": "X-A", "string_match": {"exact": "1,2"}}}`, true},
		{any, `{"header": {"name": "x-b", "present_match": true}}`, true},
		{any, `{"header": {"name": "x-c", "present_match": true}}`, false},
		{any, `{"header": {"name": "x-c", "string_match": {"safe_regex": {"regex": ".*"}}}}`, false},
		{any, `{"authenticated": {"principal_name": {"safe_regex": {"regex": ".*/ns/b/.*"}}}}`, true},
		{any, `{"authenticated": {"principal_name": {"safe_regex": {"regex": "/ns/b/"}}}}`, false},
		{any, `{"filter_state": {"key": "io.istio.peer_principal", "string_match": {"prefix": "spiffe://a/"}}}`, true},
		{any, `{"direct_remote_ip": {"address_prefix": "10.1.9.9", "prefix_len": 16}}`, true},
		{any, `{"remote_ip": {"address_prefix": "10.2.0.0", "prefix_len": 16}}`, false},
		{any, claim(`{"key": "iss"}`, `{"string_match": {"exact": "i"}}`), true},
		{any, claim(`{"key": "aud"}`, `{"string_match": {"exact": "y"}}`), false},
		{any, claim(`{"key": "aud"}`, `{"list_match": {"one_of": {"string_match": {"exact": "y"}}}}`), true},
		{any, claim(`{"key": "aud"}`, `{"or_match": {"value_matchers": [{"string_match": {"exact": "y"}},
			{"list_match": {"one_of": {"string_match": {"exact": "x"}}}}]}}`), true},
		{any, claim(`{"key": "scope"}`, `{"list_match": {"one_of": {"string_match": {"exact": "b"}}}}`), true},
		{any, claim(`{"key": "permission"}`, `{"string_match": {"exact": "  "}}`), true},
		{any, claim(`{"key": "n"}`, `{"string_match": {"safe_regex": {"regex": ".*"}}}`), false},
		{any, claim(`{"key": "none"}`, `{"string_match": {"safe_regex": {"regex": ".*"}}}`), false},
		{any, claim(`{"key": "r"}, {"key": "s"}`, `{"string_match": {"exact": "t"}}`), true},
		{any, claim(`{"key": "line"}`, `{"string_match": {"safe_regex": {"regex": ".+"}}}`), false},
	} {
		policies := `{"policies": {"p": {"permissions": [` + test.permission + `], "principals": [` + test.principal + `]}}`
		for action, want := range map[string]envoy.Verdict{
			"ALLOW": {Allowed: test.want, ShadowAllowed: test.want},
			"DENY":  {Allowed: !test.want, ShadowAllowed: !test.want},
			"LOG":   {Allowed: true, ShadowAllowed: true, Logged: test.want, ShadowLogged: test.want},
		} {
			rules := policies + `, "action": "` + action + `"}`
			filter := &rbachttp.RBAC{}
			if err := protojson.Unmarshal([]byte(`{"rules": `+rules+`, "shadow_rules": `+rules+`}`), filter); err != nil {
				t.Fatalf("%s: %v", rules, err)
			}
			if got, err := evaluator.Judge([]*rbachttp.RBAC{filter}, request); got != want || err != nil {
				t.Errorf("%s: got %+v, %v, want %+v", rules, got, err, want)
			}
		}
	}
}

// A matcher that is not known is an error, even where another one has decided.
func TestUnknown(t *testing.T) {
	for _, text := range []string{
		`{"permissions": [{"any": true}, {"requested_server_name": {"exact": "a"}}], "principals": [{"any": true}]}`,
		`{"permissions": [{"any": true}], "principals": [{"any": true}, {"source_ip": {"address_prefix": "::"}}]}`,
		`{"permissions": [{"not_rule": {"any": true}}], "principals": [{"header": {"name": "a", "invert_match": true}}]}`,
		`{"permissions": [{"any": true}],
			"principals": [{"metadata": {"filter": "envoy.filters.a", "path": [{"key": "b"}]}}]}`,
	} {
		filter := &rbachttp.RBAC{}
		rules := `{"rules": {"policies": {"p": ` + text + `}}}`
		if err := protojson.Unmarshal([]byte(rules), filter); err != nil {
			t.Fatal(err)
		}
		if _, err := (&envoy.Evaluator{}).Judge([]*rbachttp.RBAC{filter}, &envoy.Request{}); err == nil {
			t.Errorf("%s is no error", text)
		}
	}
}

// A filter without rules lets every request pass, and one with empty rules that allow lets none.
func TestFiltersWithoutRules(t *testing.T) {
	for text, want := range map[string]bool{`{}`: true, `{"rules": {}}`: false, `{"rules": {"action": "DENY"}}`: true} {
		filter := &rbachttp.RBAC{}
		if err := protojson.Unmarshal([]byte(text), filter); err != nil {
			t.Fatal(err)
		}
		v, err := (&envoy.Evaluator{}).Judge([]*rbachttp.RBAC{filter}, &envoy.Request{})
		if v.Allowed != want || err != nil {
			t.Errorf("%s: %+v, %v", text, v, err)
		}
	}
}
