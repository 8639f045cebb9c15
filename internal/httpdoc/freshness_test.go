package httpdoc_test

import (
	"context"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
)

// How long an answer may be used is what RFC 9111 makes of its header.
func TestFreshness(t *testing.T) {
	const date, later = "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:10:00 GMT" // date is when a bubble begins
	for _, test := range []struct {
		name   string
		header http.Header
		want   time.Duration
		stated bool
	}{
		{"nothing", http.Header{}, 0, false},
		{"max-age", http.Header{"Cache-Control": {"public, max-age=60"}}, time.Minute, true},
		{"in the second header", http.Header{"Cache-Control": {"public", "max-age=60"}}, time.Minute, true},
		{"twice, the first counts", http.Header{"Cache-Control": {"max-age=60, max-age=600"}}, time.Minute, true},
		{"max-age that is none", http.Header{"Cache-Control": {"max-age=soon"}}, 0, false},
		{"max-age without end", http.Header{"Cache-Control": {"max-age=99999999999999"}}, math.MaxInt32 * time.Second, true},
		{"max-age zero", http.Header{"Cache-Control": {"max-age=0"}}, 0, true},
		{"no-cache", http.Header{"Cache-Control": {"max-age=600, no-cache"}}, 0, true},
		{"no-store", http.Header{"Cache-Control": {"NO-STORE"}}, 0, true},
		{"it is old already", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"240"}}, 6 * time.Minute, true},
		{"it is too old already", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"900"}}, 0, true},
		{"of shared caches alone", http.Header{"Cache-Control": {"s-maxage=60"}}, 0, false},
		{"Expires", http.Header{"Expires": {later}, "Date": {date}}, 10 * time.Minute, true},
		{"Expires by the own clock", http.Header{"Expires": {later}}, 10 * time.Minute, true},
		{"Expires, and Age", http.Header{"Expires": {later}, "Date": {date}, "Age": {"60"}}, 9 * time.Minute, true},
		{"Expires in the past", http.Header{"Expires": {date}, "Date": {later}}, 0, true},
		{"Expires 0", http.Header{"Expires": {"0"}}, 0, true},
		{"max-age counts before Expires", http.Header{"Cache-Control": {"max-age=60"}, "Expires": {"0"}}, time.Minute, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := httpdoc.New(httpdoc.Options{Transport: answer(200, strings.NewReader("x"), test.header)})
				got, err := c.Get(t.Context(), "https://id.shop.example/jwks", "", "", 5)
				if err != nil || got.Fresh != test.want || got.Stated != test.stated {
					t.Errorf("got %v, %v, %v, want %v, %v", got.Fresh, got.Stated, err, test.want, test.stated)
				}
			})
		})
	}
}

// A bearer token goes to one origin and to no other.
func TestBearerTokenIsShownToOneOrigin(t *testing.T) {
	for address, shown := range map[string]bool{
		"https://id.shop.example/jwks":         true,
		"https://id.shop.example:443/jwks":     true,
		"https://ID.shop.example/other":        true,
		"https://id.shop.example:8443/jwks":    false,
		"https://id.shop.example.evil.example": false,
		"https://evil.example/id.shop.example": false,
		"http://127.0.0.1/jwks":                false,
	} {
		c := httpdoc.New(httpdoc.Options{
			Loopback: true, Bearer: token, BearerURL: "https://id.shop.example",
			Transport: transport(func(r *http.Request) (*http.Response, error) {
				if got := r.Header.Get("Authorization"); got != map[bool]string{true: "Bearer abc"}[shown] {
					t.Errorf("%s: Authorization %q", address, got)
				}
				return answer(200, strings.NewReader("x"), nil)(r)
			}),
		})
		if _, err := c.Get(t.Context(), address, "", "", 5); err != nil {
			t.Error(err)
		}
	}
}

func token(context.Context) (string, error) { return "abc", nil }
