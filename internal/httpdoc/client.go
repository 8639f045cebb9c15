package httpdoc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client fetches documents. It is safe for concurrent use.
type Client struct {
	http     *http.Client
	loopback bool
}

// Options configure a client.
type Options struct {
	// Transport replaces the client's own, which has the time limit for connecting.
	Transport http.RoundTripper
	// Loopback allows plain HTTP to a loopback address.
	Loopback bool
}

// New returns a client.
func New(o Options) *Client {
	transport := o.Transport
	if transport == nil {
		transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout:    dialTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableKeepAlives:      true, // minutes pass between two exchanges
			ForceAttemptHTTP2:      true,
		}
	}
	return &Client{
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		loopback: o.Loopback,
	}
}

// Document is a server's answer.
type Document struct {
	// Body is the text. It is empty when the document is Unchanged.
	Body []byte
	// ETag names this version of it, or is "".
	ETag string
	// MaxAge is how long the server lets it be cached, and 0 when it does not say.
	MaxAge time.Duration
	// Unchanged says that it is the version that the caller has.
	Unchanged bool
}

// StatusError is an answer other than 200.
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
		text += "; redirects are not followed"
	}
	return text
}

// Get fetches a document of at most limit bytes. With an etag it may come back Unchanged. The error is that of
// [Client.CheckURL], of the exchange, or a [*StatusError]; none of them shows the server's text.
func (c *Client) Get(ctx context.Context, address, etag, accept string, limit int) (Document, error) {
	if err := c.CheckURL(address); err != nil {
		return Document{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Document{}, errors.New("the URL makes no request")
	}
	request.Header.Set("Accept", accept)
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	return c.exchange(request, etag, limit)
}

// PostForm sends a form, and returns the answer of at most limit bytes as [Client.Get] does.
func (c *Client) PostForm(ctx context.Context, address string, form url.Values, limit int) (Document, error) {
	if err := c.CheckURL(address); err != nil {
		return Document{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return Document{}, errors.New("the URL makes no request")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.exchange(request, "", limit)
}

func (c *Client) exchange(request *http.Request, etag string, limit int) (Document, error) {
	response, err := c.http.Do(request)
	if err != nil {
		// The outer error repeats the whole URL.
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return Document{}, fmt.Errorf("%s %s: %w", request.Method, shown(request.URL), err)
	}
	defer func() { _ = response.Body.Close() }()
	document, err := read(response, etag, limit)
	if err != nil {
		return Document{}, fmt.Errorf("%s %s: %w", request.Method, shown(request.URL), err)
	}
	return document, nil
}

func read(response *http.Response, etag string, limit int) (Document, error) {
	document := Document{MaxAge: maxAge(response.Header)}
	if response.StatusCode == http.StatusNotModified && etag != "" {
		document.ETag, document.Unchanged = etag, true
		return document, nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	switch {
	case response.StatusCode != http.StatusOK:
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

// maxAge reads the one directive of Cache-Control (RFC 9111 section 5.2.2.1) that says when to ask again.
func maxAge(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(header.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
		if err != nil || seconds < 0 {
			return 0
		}
		return time.Duration(seconds) * time.Second
	}
	return 0
}
