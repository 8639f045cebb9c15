package issuerserver

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	issuerv1 "github.com/parley-rpc/parley/gen/parley/issuer/v1"
	"github.com/parley-rpc/parley/issuer"
)

const good = `issuer: https://id.shop.example
trust_domain: shop.example
https: {listen: ":8443", cert_file: tls.crt, key_file: tls.key}
`

func TestConfig(t *testing.T) {
	c, err := parseConfig("/etc/issuer", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if c.adminListen() != "127.0.0.1:8444" || c.rotateAfter() != 720*time.Hour || c.algorithm() != issuer.EdDSA {
		t.Errorf("%s, %v, %s", c.adminListen(), c.rotateAfter(), c.algorithm())
	}
	if c.path("tls.crt") != "/etc/issuer/tls.crt" || c.path("/run/tls.crt") != "/run/tls.crt" {
		t.Errorf("%s, %s", c.path("tls.crt"), c.path("/run/tls.crt"))
	}
	for more, says := range map[string]string{
		"issuers: x":                         `did you mean "issuer"?`,
		"keys: {algorithm: RS256}":           "neither EdDSA nor ES256",
		"keys: {rotate_after: 1h}":           "at least 2h",
		"keys: {rotate_after: -1h}":          "at least 2h",
		"keys: {rotate_after: 30}":           "duration",
		"login: {provider: keycloack}":       "is not known",
		"tokens: {lifetime: 10}":             "duration",
		"tokens: {per_second: -1, burst: 1}": "per_second",
	} {
		if _, err := parseConfig("/etc/issuer", []byte(good+more+"\n")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", more, err, says)
		}
	}
	for _, missing := range []string{"trust_domain", "https"} {
		var lines []string
		for line := range strings.Lines(good) {
			if !strings.HasPrefix(line, missing) {
				lines = append(lines, line)
			}
		}
		_, err := parseConfig("x", []byte(strings.Join(lines, "")))
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

// A running issuer reads changes of tokens and login, and of nothing else.
func TestFixedConfig(t *testing.T) {
	before, err := parseConfig("x", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for more, same := range map[string]bool{
		"tokens: {lifetime: 5m}":                 true,
		"login: {issuer: https://login.example}": true,
		"admin_listen: 127.0.0.1:9":              false,
		"keys: {algorithm: ES256}":               false,
		"surfaces: {probes: \":1\"}":             false,
	} {
		after, err := parseConfig("x", []byte(good+more+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := proto.Equal(fixed(before), fixed(after)); got != same {
			t.Errorf("%s: %v", more, got)
		}
	}
}

// A registration comes back as it was, over the service of operators.
func TestRegistrations(t *testing.T) {
	want := issuer.Client{
		ID: "spiffe://shop.example/orders", JWKS: []byte(`{"keys":[]}`), Identity: true,
		Own:    issuer.Grant{Audiences: []string{"a"}, Scopes: []string{"b"}},
		Users:  issuer.Grant{Audiences: []string{"c"}, Scopes: []string{"d"}},
		Claims: map[string]any{"env": "prod", "tier": -2, "batch": true, "teams": []string{"a", "b"}},
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[issuer.Client]()) {
		if reflect.ValueOf(want).FieldByIndex(field.Index).IsZero() {
			t.Errorf("%s is not tested", field.Name)
		}
	}
	r, err := registrationOf(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := clientOf(want.ID, r); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	for name, value := range map[string]*structpb.Value{
		"a fraction": structpb.NewNumberValue(1.5), "infinity": structpb.NewNumberValue(math.Inf(1)),
		"not a number": structpb.NewNumberValue(math.NaN()), "nothing": structpb.NewNullValue(),
		"a list of numbers": structpb.NewListValue(&structpb.ListValue{
			Values: []*structpb.Value{structpb.NewNumberValue(1)},
		}),
		"an object": structpb.NewStructValue(&structpb.Struct{}), "no value": {},
	} {
		registration := &issuerv1.Registration{Claims: map[string]*structpb.Value{"a": value}}
		if _, err := clientOf(want.ID, registration); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// FuzzConfig asks that no text makes the reader panic, and that what it accepts is complete.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(good + "tokens: {lifetime: 5m}\nlogin: {issuer: a, keys_file: b, provider: okta}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parseConfig("/nowhere", text)
		if err != nil {
			return
		}
		_, _ = c.options()
		if c.file.GetHttps().GetListen() == "" || c.domain.String() == "" || c.rotateAfter() < 0 {
			t.Errorf("accepted: %v", c.file)
		}
	})
}
