package httpdoc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
)

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func answer(status int, body io.Reader, header http.Header) transport {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body)}, nil
	}
}

func TestCheckURL54(t *testing.T) {
	for address, says := range map[string]string{
		"https://id.shop.example/jwks?v=1": "",
		"https://[::1]:8443/jwks":          "",
		"http://id.shop.example/jwks":      "use https",
		"http://169.254.169.254/latest":    "use https",
		"http://127.0.0.1.evil.example/":   "use https",
		"http://localhost.evil.example/":   "use https",
		"http://127.0.0.1:8080/jwks":       "allowed explicitly",
		"http://localhost/jwks":            "allowed explicitly",
		"http://[::1]/jwks":                "allowed explicitly",
		"ftp://id.shop.example/":           "not https",
		"file:///etc/passwd":               "no host",
		"https:id.shop.example":            "no host",
		"https://":                         "no host",
		"":                                 "no host",
		"jwks":                             "no host",
		"https://a:SECRET@id.shop.example": "password",
		"https://id.shop.example/#x":       "fragment",
		"https://id shop/?SECRET":          "cannot be parsed",
		"http://id.shop.example/?SECRET":   "use https",
		"https://id.shop.example/\x00":     "cannot be parsed",
	} {
		strict, loose := httpdoc.New(httpdoc.Options{}), httpdoc.New(httpdoc.Options{Loopback: true})
		err := strict.CheckURL(address)
		if (err == nil) != (says == "") ||
			err != nil && (!strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%q: got %v, want %q", address, err, says)
		}
		if err := loose.CheckURL(address); (err == nil) != (says == "" || says == "allowed explicitly") {
			t.Errorf("%q with loopback: %v", address, err)
		}
	}
}

// A long address of another origin does not fill a log.
func TestLongURLIsCut(t *testing.T) {
	err := httpdoc.New(httpdoc.Options{}).CheckURL("http://id.shop.example/" + strings.Repeat("a", 60_000))
	if err == nil || len(err.Error()) > 300 {
		t.Errorf("%d bytes", len(err.Error()))
	}
}

func TestGet(t *testing.T) {
	header := http.Header{"Etag": {`"v2"`}, "Cache-Control": {"public, max-age=60"}}
	for name, test := range map[string]struct {
		transport transport
		etag      string
		want      httpdoc.Document
		says      string
	}{
		"good":                      {answer(200, strings.NewReader("12345"), header), "", httpdoc.Document{Body: []byte("12345"), ETag: `"v2"`, Fresh: time.Minute, Stated: true}, ""},
		"unchanged":                 {answer(304, strings.NewReader(""), header), `"v1"`, httpdoc.Document{ETag: `"v1"`, Fresh: time.Minute, Stated: true, Unchanged: true}, ""},
		"unchanged, but from what":  {answer(304, strings.NewReader(""), header), "", httpdoc.Document{}, "HTTP status 304"},
		"too long":                  {answer(200, strings.NewReader("123456"), header), "", httpdoc.Document{}, "longer than 5 bytes"},
		"breaks off":                {answer(200, io.MultiReader(strings.NewReader("1"), broken{}), header), "", httpdoc.Document{}, "broke off"},
		"not found":                 {answer(404, strings.NewReader("SECRET"), nil), "", httpdoc.Document{}, "HTTP status 404"},
		"redirect":                  {answer(302, strings.NewReader(""), http.Header{"Location": {"https://evil.example"}}), "", httpdoc.Document{}, "redirect is not followed"},
		"redirect, no place":        {answer(301, strings.NewReader(""), nil), "", httpdoc.Document{}, "redirect is not"},
		"long version is forgotten": {answer(200, strings.NewReader("1"), http.Header{"Etag": {strings.Repeat("a", 257)}}), "", httpdoc.Document{Body: []byte("1")}, ""},
		"down":                      {func(*http.Request) (*http.Response, error) { return nil, io.ErrClosedPipe }, "", httpdoc.Document{}, "GET https://id.shop.example/jwks: io"},
	} {
		t.Run(name, func(t *testing.T) {
			c := httpdoc.New(httpdoc.Options{Transport: test.transport})
			got, err := c.Get(t.Context(), "https://id.shop.example/jwks?SECRET", test.etag, "application/json", 5)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "SECRET") {
					t.Errorf("got %v, want %q", err, test.says)
				}
				return
			}
			if err != nil || string(got.Body) != string(test.want.Body) || got.ETag != test.want.ETag ||
				got.Fresh != test.want.Fresh || got.Stated != test.want.Stated ||
				got.Unchanged != test.want.Unchanged {
				t.Errorf("got %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestPostForm(t *testing.T) {
	c := httpdoc.New(httpdoc.Options{Transport: transport(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		shown := r.Header.Get("Authorization")
		if err != nil || r.Method != http.MethodPost || string(body) != "a=b+c" || shown != "Basic eA==" {
			t.Errorf("%s %q, %s, %v", r.Method, body, shown, err)
		}
		return answer(400, strings.NewReader(strings.Repeat("x", 100)), nil)(r)
	})})
	_, err := c.PostForm(t.Context(), "https://id.shop.example/token", url.Values{"a": {"b c"}}, "Basic eA==", 10)
	status, ok := errors.AsType[*httpdoc.StatusError](err)
	if !ok || status.Code != 400 || len(status.Body) != 10 {
		t.Errorf("got %v", err)
	}
	if _, err := c.PostForm(t.Context(), "http://id.shop.example/token", nil, "", 10); err == nil {
		t.Error("a form over plain http")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c = httpdoc.New(httpdoc.Options{})
	if _, err := c.Get(ctx, "https://127.0.0.1:1/", "", "", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
