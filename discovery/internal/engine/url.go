package engine

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// URL is the address of an engine and the parameters of the connection to it.
type URL struct {
	*url.URL
	parameters url.Values
}

// ParseURL parses <scheme>://host:port/path?name=value. Names are the allowed parameters, in addition to those of
// [URL.TLS]. The caller must check that the URL has a host. ParseURL refuses a user or password in front of the host,
// because URLs are printed. Its errors do not contain the URL.
func ParseURL(scheme, text string, names ...string) (URL, error) {
	parsed, err := url.Parse(text)
	if err != nil {
		return URL{}, fmt.Errorf("%s: the URL cannot be read; want %s://host:port", scheme, scheme)
	}
	if parsed.Scheme != scheme || parsed.Opaque != "" || parsed.Host == "" && parsed.Path == "" || parsed.Fragment != "" {
		return URL{}, fmt.Errorf("%s: want %s://host:port", scheme, scheme)
	}
	if parsed.User != nil {
		return URL{}, fmt.Errorf(
			"%s: the URL has a user or a password in front of the host, and URLs are printed; name a file instead",
			scheme,
		)
	}
	u := URL{URL: parsed}
	if u.parameters, err = url.ParseQuery(parsed.RawQuery); err != nil {
		return URL{}, fmt.Errorf(
			"%s: the parameters after the question mark cannot be read; want name=value, joined by &", scheme,
		)
	}
	known := append([]string{"ca", "tls", "cert", "key"}, names...)
	for name, values := range u.parameters {
		if !slices.Contains(known, name) || len(values) != 1 {
			return URL{}, fmt.Errorf("%s: parameter %q: want each of %s once at most", scheme, name, strings.Join(known, ", "))
		}
	}
	return u, nil
}

// Get returns a parameter, or "".
func (u URL) Get(name string) string { return u.parameters.Get(name) }

// Secret returns the content of the file that a parameter names, without the line break at its end, or "" when the
// parameter is missing.
func (u URL) Secret(name string) (string, error) {
	file := u.Get(name)
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return "", fmt.Errorf("%s: %s: %w", u.Scheme, name, err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s: %s: %s is empty; write the secret there", u.Scheme, name, file)
	}
	return secret, nil
}

// TLS returns the configuration from these parameters, nil for plaintext:
//
//	ca         file with the certificates of the authorities to trust
//	tls        "system" trusts the authorities of the system
//	cert, key  files with the client's certificate and key; they are read for each connection
func (u URL) TLS() (*tls.Config, error) {
	config, err := u.tls()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.Scheme, err)
	}
	return config, nil
}

func (u URL) tls() (*tls.Config, error) {
	ca, system, cert, key := u.Get("ca"), u.Get("tls"), u.Get("cert"), u.Get("key")
	switch {
	case system != "" && system != "system":
		return nil, fmt.Errorf("tls=%s: want tls=system, or ca", system)
	case (cert == "") != (key == ""):
		return nil, errors.New("want cert and key together")
	case ca == "" && system == "" && cert == "":
		return nil, nil //nolint:nilnil // plaintext
	case ca == "" && system == "":
		return nil, errors.New("the URL has cert and does not name the trusted certificates: want ca=<file> or tls=system")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca) //nolint:gosec // the operator names the file
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("ca: %s has no certificate in PEM; write that of the authority there", ca)
		}
	}
	if cert == "" {
		return config, nil
	}
	read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		return &pair, err
	}
	if _, err := read(nil); err != nil {
		return nil, fmt.Errorf("cert: %w", err)
	}
	config.GetClientCertificate = read
	return config, nil
}
