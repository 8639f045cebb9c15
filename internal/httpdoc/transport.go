package httpdoc

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/parley-rpc/parley/internal/safepath"
)

// transport makes the exchanges of a client that brings none. It follows its CA file, which may be replaced at any
// time.
type transport struct {
	caFile string
	proxy  *url.URL

	mu      sync.Mutex
	roots   []byte // the text of the CA file that current trusts
	current *http.Transport
}

// RoundTrip makes one exchange.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	current, err := t.fresh()
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	return current.RoundTrip(r)
}

// fresh returns the transport that trusts what the CA file says now.
func (t *transport) fresh() (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.caFile == "" {
		if t.current == nil {
			t.current = t.make(nil)
		}
		return t.current, nil
	}
	text, err := safepath.New().ReadPublic(t.caFile, maxCABytes)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w", err)
	}
	if t.current != nil && bytes.Equal(text, t.roots) {
		return t.current, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf(
			"CA file %s: it holds no certificate in PEM form; write those of the authorities there", t.caFile,
		)
	}
	t.roots, t.current = text, t.make(roots)
	return t.current, nil
}

// make returns a transport that trusts roots, or those of the system. It keeps no connection, so that one that is
// replaced leaves none behind.
func (t *transport) make(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableKeepAlives:      true, // minutes pass between two exchanges
		ForceAttemptHTTP2:      true,
		Proxy:                  t.way,
	}
}

// way returns the proxy that leads to a host, or nil for none.
func (t *transport) way(r *http.Request) (*url.URL, error) {
	if t.proxy == nil || isLoopback(r.URL.Hostname()) {
		return nil, nil //nolint:nilnil // as package http wants it
	}
	return t.proxy, nil
}

// parseProxy reads the URL of a proxy; "" is none.
func parseProxy(address string) (*url.URL, error) {
	if address == "" {
		return nil, nil //nolint:nilnil // as it says
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("proxy: the URL cannot be parsed; write one such as http://proxy.shop.example:3128")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("proxy: it is no URL of a proxy; write one such as http://proxy.shop.example:3128")
	case u.User != nil:
		return nil, errors.New("proxy: the URL holds a user name or a password, which does not belong into a " +
			"configuration; let the proxy know this host by its address")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("proxy: the URL has more than a scheme, a host and a port; remove the rest")
	}
	return u, nil
}
