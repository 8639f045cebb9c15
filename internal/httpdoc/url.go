package httpdoc

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/parley-rpc/parley/internal/quote"
)

// CheckURL returns an error when the address of a document is not allowed. The error shows the address without its
// query, which may be secret.
func (c *Client) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("the URL cannot be parsed")
	}
	wrong := func(problem string) error { return fmt.Errorf("URL %s: %s", shown(u), problem) }
	switch {
	case u.Host == "" || u.Opaque != "":
		return wrong("it names no host; write https://<host>/<path>")
	case u.User != nil:
		return wrong("it holds a user name or a password")
	case u.Fragment != "":
		return wrong("it has a fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return wrong("it is not https")
	case !isLoopback(u.Hostname()):
		return wrong("plain http is allowed to a loopback address alone; use https")
	case !c.options.Loopback:
		return wrong("plain http to a loopback address must be allowed explicitly; use https, or allow it for development")
	}
	return nil
}

// shown is the part of an address that may be shown, cut so that a hostile one cannot fill a log.
func shown(u *url.URL) string {
	return quote.Cut((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), maxShown)
}
