package framework

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
)

// makeGate makes the server's side of authentication, once. It is nil without an identity.
func (s *Server) makeGate() (*auth.Gate, error) {
	p := &s.app.parts
	if p.identity == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate != nil {
		return s.gate, nil
	}
	options, err := s.carriers()
	if err != nil {
		return nil, err
	}
	if s.config().GetUserAuthorization() {
		options = append(options, auth.WithUserAuthorization())
	}
	options = slices.Concat(options, p.users, s.auth, []auth.ServerOption{auth.WithPlannedEnd(s.ending)})
	if meters := s.app.meters(); meters != nil {
		options = append(options, auth.WithMeterProvider(meters))
	}
	s.gate = p.identity.Server(p.table, options...)
	return s.gate, nil
}

// gateOf returns the gate of the server that has a method.
func (a *App) gateOf(method string) (*auth.Gate, error) {
	a.mu.Lock()
	servers := a.servers
	a.mu.Unlock()
	for _, s := range servers {
		if !slices.Contains(s.methods(), method) {
			continue
		}
		gate, err := s.makeGate()
		if err == nil && gate == nil {
			err = errors.New("the program has no identity (WithInsecureDev), so that every caller may call everything")
		}
		return gate, err
	}
	return nil, fmt.Errorf("this program does not serve %s; name a method that it serves", method)
}

// carriers returns the options for the carriers that the server accepts in addition to connection mode.
func (s *Server) carriers() ([]auth.ServerOption, error) {
	conf := s.config()
	cert := conf.GetTls()
	bearer := false
	var errs []error
	for _, carrier := range conf.GetCarriers() {
		switch carrier {
		case policyv1.Carrier_CARRIER_TOKEN:
			bearer = true
		case policyv1.Carrier_CARRIER_CONNECTION: // always on
		case policyv1.Carrier_CARRIER_UNSPECIFIED:
			errs = append(errs, fmt.Errorf("servers.%s.carriers: an entry is not a carrier; use token", s.service))
		}
	}
	if !bearer && len(conf.GetIssuers()) > 0 {
		errs = append(
			errs,
			fmt.Errorf(
				"servers.%s.issuers: bearer tokens are read only with the carrier token; "+
					"add token to servers.%s.carriers, or remove the issuers",
				s.service,
				s.service,
			),
		)
	}
	var options []auth.ServerOption
	if s.controlled() {
		options = append(options, auth.WithManagedServerTLS(s.app.plane.ServerCredentials))
	}
	switch {
	case s.controlled() && !bearer:
		errs = append(
			errs,
			fmt.Errorf(
				"servers.%s: connection mode does not work with a control plane, which configures TLS; "+
					"add token to servers.%s.carriers",
				s.service,
				s.service,
			),
		)
	case s.controlled() && cert == nil:
		options = append(options, auth.WithBearer(nil))
	case bearer && (cert.GetCert() == "" || cert.GetKey() == ""):
		errs = append(
			errs,
			fmt.Errorf(
				"servers.%s.carriers: the carrier token needs a TLS certificate that callers verify; "+
					"set servers.%s.tls.cert and servers.%s.tls.key",
				s.service,
				s.service,
				s.service,
			),
		)
	case bearer:
		files := &certificateFiles{cert: cert.GetCert(), key: cert.GetKey(), logger: s.app.parts.logger}
		if _, err := files.load(); err != nil {
			errs = append(errs, fmt.Errorf("servers.%s.tls: %w", s.service, err))
		}
		options = append(options, auth.WithBearer(files.get))
	case cert != nil:
		errs = append(
			errs,
			fmt.Errorf(
				"servers.%s.tls: connection mode makes its own certificate; add token to servers.%s.carriers, "+
					"or remove the section",
				s.service,
				s.service,
			),
		)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if bearer {
		options = append(options, s.app.parts.workloads[s.service]...)
	}
	return options, nil
}

// certificateFiles is a TLS certificate in files, which are read again when they change.
type certificateFiles struct {
	cert, key string
	logger    *slog.Logger

	mu      sync.Mutex
	checked time.Time
	written [2]time.Time
	loaded  *tls.Certificate
	trouble string // the error that was logged last
}

// get returns the certificate, or the last good one while the files are bad. It checks the files at most every 2s.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	recent := f.loaded != nil && time.Since(f.checked) < certificateInterval
	last := f.loaded
	f.mu.Unlock()
	if recent {
		return last, nil
	}
	cert, err := f.load()
	f.logTrouble(err)
	if err != nil && last != nil {
		return last, nil
	}
	return cert, err
}

// logTrouble logs an error of the files once, not at every handshake.
func (f *certificateFiles) logTrouble(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	trouble := ""
	if err != nil {
		trouble = err.Error()
	}
	if trouble != "" && trouble != f.trouble {
		f.logger.Error("the TLS certificate cannot be read; the last good one stays in use", slog.Any("error", err))
	}
	f.trouble = trouble
}

func (f *certificateFiles) load() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.checked = time.Now()
	var written [2]time.Time
	for i, file := range []string{f.cert, f.key} {
		info, err := os.Stat(file)
		if err != nil {
			return nil, withRemedy(err)
		}
		written[i] = info.ModTime()
	}
	if f.loaded != nil && written == f.written {
		return f.loaded, nil
	}
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("%s, %s: want a certificate and its key in PEM form: %w", f.cert, f.key, err)
	}
	f.loaded, f.written = &cert, written
	return f.loaded, nil
}
