package httpdoc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client fetches documents. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	options Options
	own     *transport // nil where the options bring another
	err     error      // what is wrong with the options
}

// Options configure a client.
type Options struct {
	// Transport replaces the client's own, which has the time limit for connecting.
	Transport http.RoundTripper
	// Loopback allows plain HTTP to a loopback address.
	Loopback bool
	// CAFile is the file with the certificate authorities, PEM, that vouch for servers. It is read again before each
	// exchange. The right to write it is the right to be any server, so it is read as package safepath reads public
	// files. Default: the authorities of the system.
	CAFile string
	// Proxy is the URL of the HTTP proxy that leads to all hosts but loopback addresses. Default: none, whatever the
	// environment says.
	Proxy string
	// Timeout bounds a whole exchange. Default: 5 seconds.
	Timeout time.Duration
	// Bearer returns the bearer token (RFC 6750) that goes with each request to the origin of BearerURL, and with no
	// other request. Default: none.
	Bearer func(context.Context) (string, error)
	// BearerURL is an address of the one origin (scheme, host and port) that the bearer token is shown to.
	BearerURL string
}

// New returns a client. What is wrong with the options is the error of [Client.Check] and of every exchange.
func New(o Options) *Client {
	c := &Client{http: &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect}, options: o}
	proxy, err := parseProxy(o.Proxy)
	if o.Transport != nil {
		if o.CAFile != "" || o.Proxy != "" {
			err = errors.Join(err, errors.New("a transport of the program's own and a CA file or a proxy contradict "+
				"each other; configure the transport"))
		}
	} else {
		c.own = &transport{caFile: o.CAFile, proxy: proxy}
		c.http.Transport = c.own
	}
	c.err = err
	return c
}

// Err is what is wrong with the options, without a look at any file.
func (c *Client) Err() error { return c.err }

// Check is Err, and reads the CA file once, so that a mistake shows early.
func (c *Client) Check() error {
	if c.err != nil || c.own == nil {
		return c.err
	}
	_, err := c.own.fresh()
	return err
}

// StatusError is an answer with another status than the one of success, which is 200, and 201 for PostJSON.
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// Body is the beginning of the answer's body. It may be secret: do not show or log it.
	Body []byte
}

// Error names the status and shows none of the server's text.
func (e *StatusError) Error() string {
	text := "HTTP status " + strconv.Itoa(e.Code)
	if e.Code >= 300 && e.Code < 400 {
		text += "; this redirect is not followed, only a permanent one (301, 308) of a GET request to the same host; " +
			"state the final URL"
	}
	return text
}

// Get fetches a document of at most limit bytes. With an etag it may come back Unchanged. The error is that of
// [Client.CheckURL], of the exchange, or a [*StatusError]; none of them shows the server's text.
func (c *Client) Get(ctx context.Context, address, etag, accept string, limit int) (Document, error) {
	header := http.Header{"Accept": {accept}}
	if etag != "" {
		header.Set("If-None-Match", etag)
	}
	return c.exchange(ctx, http.MethodGet, address, nil, header, http.StatusOK, limit)
}

// PostForm sends a form, and returns the answer of at most limit bytes as [Client.Get] does. Authorization is the
// header of that name, "" for none or that of the bearer token.
func (c *Client) PostForm(
	ctx context.Context, address string, form url.Values, authorization string, limit int,
) (Document, error) {
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
	return c.exchange(ctx, http.MethodPost, address, strings.NewReader(form.Encode()), header, http.StatusOK, limit)
}

// PostJSON sends a JSON document, and returns the answer of at most limit bytes as [Client.Get] does. It
// creates something, so the answer has the status 201.
func (c *Client) PostJSON(ctx context.Context, address string, document []byte, limit int) (Document, error) {
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}}
	return c.exchange(ctx, http.MethodPost, address, bytes.NewReader(document), header, http.StatusCreated, limit)
}

func (c *Client) exchange(
	ctx context.Context, method, address string, body io.Reader, header http.Header, want, limit int,
) (Document, error) {
	if err := errors.Join(c.err, c.CheckURL(address)); err != nil {
		return Document{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.options.Timeout, totalTimeout))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return Document{}, errors.New("the URL makes no request")
	}
	request.Header = header
	if c.ShowsBearer(address) {
		token, err := c.bearer(ctx)
		if err != nil {
			return Document{}, err
		}
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		// The outer error repeats the whole URL.
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return Document{}, fmt.Errorf("%s %s: %w", method, shown(request.URL), err)
	}
	defer func() { _ = response.Body.Close() }()
	document, err := read(response, want, header.Get("If-None-Match"), limit)
	if err != nil {
		return Document{}, fmt.Errorf("%s %s: %w", method, shown(request.URL), err)
	}
	return document, nil
}

// ShowsBearer reports whether there is a bearer token that goes with requests to address.
func (c *Client) ShowsBearer(address string) bool {
	return c.options.Bearer != nil && sameOrigin(address, c.options.BearerURL)
}

// bearer returns the bearer token.
func (c *Client) bearer(ctx context.Context) (string, error) {
	token, err := c.options.Bearer(ctx)
	if err != nil {
		return "", fmt.Errorf("bearer token: %w", err)
	}
	if !isToken(token) {
		return "", errors.New("bearer token: it is empty, or has characters that no token has; put one token there")
	}
	return token, nil
}

// isToken reports whether text can stand in an Authorization header (token68 of RFC 9110 section 11.2).
func isToken(text string) bool {
	if text == "" {
		return false
	}
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("-._~+/=", rune(c)) {
			return false
		}
	}
	return true
}

// checkRedirect follows what says that a document has moved for good, on its own host: the path of a provider's key set
// changes, and its host is the one that the configuration names. A form is never sent to a second address.
func checkRedirect(next *http.Request, via []*http.Request) error {
	status := next.Response.StatusCode
	permanent := status == http.StatusMovedPermanently || status == http.StatusPermanentRedirect
	first := via[0]
	if !permanent || first.Method != http.MethodGet || len(via) > maxRedirects ||
		next.URL.User != nil || !sameOrigin(next.URL.String(), first.URL.String()) {
		return http.ErrUseLastResponse
	}
	return nil
}

// Document is a server's answer.
type Document struct {
	// Body is the text. It is empty when the document is Unchanged.
	Body []byte
	// ETag names this version of it, or is "".
	ETag string
	// Fresh is how long the server lets it be used before it is asked for again (RFC 9111 section 4.2); see Stated.
	Fresh time.Duration
	// Stated reports whether the server said so.
	Stated bool
	// Unchanged says that it is the version that the caller has.
	Unchanged bool
}

func read(response *http.Response, want int, etag string, limit int) (Document, error) {
	var document Document
	document.Fresh, document.Stated = freshness(response.Header, time.Now())
	if response.StatusCode == http.StatusNotModified && etag != "" {
		document.ETag, document.Unchanged = etag, true
		return document, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	switch {
	case response.StatusCode != want:
		return Document{}, &StatusError{Code: response.StatusCode, Body: body[:min(len(body), limit)]}
	case err != nil:
		return Document{}, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > limit:
		return Document{}, fmt.Errorf("the answer is longer than %d bytes", limit)
	}
	document.Body = body
	if tag := response.Header.Get("ETag"); len(tag) <= maxETag {
		document.ETag = tag
	}
	return document, nil
}
