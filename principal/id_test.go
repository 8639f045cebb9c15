package principal_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/principal"
)

func TestParseID(t *testing.T) {
	for text, want := range map[string]struct{ domain, service string }{
		"spiffe://shop.example/payments":          {"shop.example", "payments"},
		"spiffe://shop.example/ns/pay/sa/api":     {"shop.example", "ns/pay/sa/api"},
		"spiffe://shop/Pay_ments-2.eu":            {"shop", "Pay_ments-2.eu"},
		"spiffe://shop/" + strings.Repeat("a", 9): {"shop", "aaaaaaaaa"},
	} {
		id, err := principal.ParseID(text)
		if err != nil || id.String() != text || id.TrustDomain().String() != want.domain || id.Service() != want.service ||
			id.IsZero() {
			t.Errorf("%s: %v, %q, %q, error %v", text, id, id.TrustDomain(), id.Service(), err)
		}
		again, err := id.TrustDomain().ID(id.Service())
		if err != nil || again != id {
			t.Errorf("%s: put together again it is %v, error %v", text, again, err)
		}
	}
}

func TestParseIDRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                    "",
		"another scheme":           "https://shop.example/payments",
		"scheme in upper case":     "SPIFFE://shop.example/payments",
		"no scheme":                "shop.example/payments",
		"no domain":                "spiffe:///payments",
		"no service":               "spiffe://shop.example",
		"empty service":            "spiffe://shop.example/",
		"upper-case domain":        "spiffe://Shop.example/payments",
		"port":                     "spiffe://shop.example:8443/payments",
		"user":                     "spiffe://me@shop.example/payments",
		"domain with a wildcard":   "spiffe://*.example/payments",
		"domain with a dot behind": "spiffe://shop.example./payments",
		"domain that is a dot":     "spiffe://./payments",
		"domain that is two dots":  "spiffe://../payments",
		"slash behind":             "spiffe://shop.example/payments/",
		"two slashes":              "spiffe://shop.example/ns//payments",
		"dot":                      "spiffe://shop.example/./payments",
		"two dots":                 "spiffe://shop.example/ns/../payments",
		"percent-encoding":         "spiffe://shop.example/pay%6dents",
		"query":                    "spiffe://shop.example/payments?x",
		"fragment":                 "spiffe://shop.example/payments#x",
		"wildcard":                 "spiffe://shop.example/*",
		"space":                    "spiffe://shop.example/pay ments",
		"newline behind":           "spiffe://shop.example/payments\n",
		"NUL":                      "spiffe://shop.example/pay\x00ments",
		"letters of elsewhere":     "spiffe://shop.example/pаyments",
		"too long":                 "spiffe://shop.example/" + strings.Repeat("a", 2048),
		"domain too long":          "spiffe://" + strings.Repeat("a", 256) + "/payments",
	} {
		id, err := principal.ParseID(text)
		if err == nil || !id.IsZero() {
			t.Errorf("%s: %q was taken", name, text)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
		}
	}
}

// The zero ID is nobody.
func TestZeroID(t *testing.T) {
	var none principal.ID
	if !none.IsZero() || none.String() != "" || none.Service() != "" || !none.TrustDomain().IsZero() ||
		none.Matches(none) {
		t.Errorf("%v", none)
	}
}

func TestIDAsText(t *testing.T) {
	type config struct{ Peer, None principal.ID }
	var c config
	if err := json.Unmarshal([]byte(`{"Peer":"spiffe://shop/orders","None":""}`), &c); err != nil {
		t.Fatal(err)
	}
	if c.Peer.Service() != "orders" || !c.None.IsZero() {
		t.Errorf("%+v", c)
	}
	text, err := json.Marshal(c)
	if err != nil || string(text) != `{"Peer":"spiffe://shop/orders","None":""}` {
		t.Errorf("%s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"Peer":"orders"}`), &c); err == nil {
		t.Error("a bare name was taken for an ID")
	}
}

func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, id string
		want        bool
	}{
		{"spiffe://shop/orders", "spiffe://shop/orders", true},
		{"spiffe://shop/orders", "spiffe://shop/orders2", false},
		{"spiffe://shop/orders", "spiffe://shop/Orders", false},
		{"spiffe://shop/orders", "spiffe://shop/orders/eu", false},
		{"spiffe://shop/orders", "spiffe://shop2/orders", false},
		{"spiffe://shop/*", "spiffe://shop/orders", true},
		{"spiffe://shop/*", "spiffe://shop/ns/orders", true},
		{"spiffe://shop/*", "spiffe://shop.example/orders", false},
		{"spiffe://shop/ns/pay/*", "spiffe://shop/ns/pay/api", true},
		{"spiffe://shop/ns/pay/*", "spiffe://shop/ns/pay/sa/api", true},
		{"spiffe://shop/ns/pay/*", "spiffe://shop/ns/pay", false},
		{"spiffe://shop/ns/pay/*", "spiffe://shop/ns/payments/api", false},
		{"spiffe://shop/ns/pay/*", "", false},
	} {
		p, err := principal.ParsePattern(test.pattern)
		if err != nil || p.String() != test.pattern {
			t.Fatalf("%s: %v, %v", test.pattern, p, err)
		}
		var id principal.ID
		if test.id != "" {
			if id, err = principal.ParseID(test.id); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.Matches(id); got != test.want {
			t.Errorf("%s matches %s: %v", test.pattern, test.id, got)
		}
	}
	if domainOf(t, "shop").Pattern().String() != "spiffe://shop/*" ||
		(principal.TrustDomain{}).Pattern().Matches(principal.ID{}) {
		t.Error("the pattern of a trust domain")
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"everything":             "*",
		"any domain":             "spiffe://*/orders",
		"any domain and service": "spiffe://*/*",
		"domain with a wildcard": "spiffe://*.example/*",
		"domain alone":           "spiffe://shop*",
		"prefix of a name":       "spiffe://shop/ord*",
		"suffix of a name":       "spiffe://shop/*ders",
		"in the middle":          "spiffe://shop/*/orders",
		"twice":                  "spiffe://shop/*/*",
		"two stars":              "spiffe://shop/**",
		"slash behind":           "spiffe://shop/*/",
		"climbs":                 "spiffe://shop/../*",
		"empty segment":          "spiffe://shop//*",
		"bare name":              "orders",
	} {
		if p, err := principal.ParsePattern(text); err == nil {
			t.Errorf("%s: %q was taken as %v", name, text, p)
		}
	}
}

func TestParsePeer(t *testing.T) {
	shop := domainOf(t, "shop")
	for text, want := range map[string]string{
		"orders":               "spiffe://shop/orders",
		"ns/pay/api":           "spiffe://shop/ns/pay/api",
		"spiffe://other/x":     "spiffe://other/x",
		"spiffe://other/x/*":   "spiffe://other/x/*",
		"*":                    "",
		"ord*":                 "",
		"../orders":            "",
		"":                     "",
		"https://shop/orders":  "",
		"shop/orders/":         "",
		"spiffe://shop/orders": "spiffe://shop/orders",
	} {
		p, err := shop.ParsePeer(text)
		if want == "" && err == nil || want != "" && (err != nil || p.String() != want) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// Two patterns overlap where one workload can match both.
func TestOverlap(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"spiffe://shop.example/orders", "spiffe://shop.example/orders", true},
		{"spiffe://shop.example/orders", "spiffe://shop.example/order", false},
		{"spiffe://shop.example/ns/orders", "spiffe://shop.example/ns/*", true},
		{"spiffe://shop.example/nsx", "spiffe://shop.example/ns/*", false},
		{"spiffe://shop.example/ns", "spiffe://shop.example/ns/*", false},
		{"spiffe://shop.example/ns/pay/*", "spiffe://shop.example/ns/*", true},
		{"spiffe://shop.example/ns/pay/*", "spiffe://shop.example/ns/payments/*", false},
		{"spiffe://shop.example/*", "spiffe://shop.example/ns/*", true},
		{"spiffe://shop.example/*", "spiffe://shop.example.evil/*", false},
	} {
		a, errA := principal.ParsePattern(test.a)
		b, errB := principal.ParsePattern(test.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.Overlaps(b) != test.want || b.Overlaps(a) != test.want {
			t.Errorf("%s and %s overlap: want %v", a, b, test.want)
		}
	}
}

func domainOf(t testing.TB, name string) principal.TrustDomain {
	t.Helper()
	d, err := principal.ParseTrustDomain(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
