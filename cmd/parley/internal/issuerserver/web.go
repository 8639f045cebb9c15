package issuerserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-rpc/parley/internal/safepath"
	"github.com/parley-rpc/parley/issuer"
)

const (
	// drainTimeout is how long requests may take when the server stops.
	drainTimeout = 10 * time.Second
	// certificateInterval is how long a certificate is used before its file is read again.
	certificateInterval = 5 * time.Second
	// retireAfter is how long an issuer stays open after another has taken its place, for requests that it still answers.
	retireAfter = 30 * time.Second
)

// serving is the issuer that answers requests. Another one takes its place when the configuration changes.
type serving struct {
	current atomic.Pointer[issuer.Issuer]

	mu      sync.Mutex
	retired []retired
}

type retired struct {
	issuer *issuer.Issuer
	at     time.Time
}

func (s *serving) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.current.Load().ServeHTTP(w, r) }

func (s *serving) set(next *issuer.Issuer) {
	if last := s.current.Swap(next); last != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.retired = append(s.retired, retired{last, time.Now()})
	}
}

// closeRetired closes the issuers whose last request has ended.
func (s *serving) closeRetired(now time.Time) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.retired) > 0 && now.Sub(s.retired[0].at) >= retireAfter {
		err = errors.Join(err, s.retired[0].issuer.Close())
		s.retired = s.retired[1:]
	}
	return err
}

func (s *serving) close() error {
	err := s.closeRetired(time.Now().Add(retireAfter))
	if last := s.current.Load(); last != nil {
		err = errors.Join(err, last.Close())
	}
	return err
}

// serveWeb serves HTTPS until ctx ends, and then waits for the requests in flight.
func (s *Server) serveWeb(ctx context.Context) error {
	certificate := &certificateFile{config: s.config, logger: s.logger}
	if _, err := certificate.get(nil); err != nil {
		return err
	}
	server := &http.Server{
		Handler: &s.serving, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog:  slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug), // failed handshakes of others
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get},
	}
	s.logger.Info("listening", slog.String("surface", "https"), slog.String("address", s.web.Addr().String()))
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(s.web, "", "") }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(draining)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// certificateFile is the certificate of the server. It is read again when its files change.
type certificateFile struct {
	config config
	logger *slog.Logger

	mu   sync.Mutex
	last *tls.Certificate
	read time.Time
}

func (c *certificateFile) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last != nil && time.Since(c.read) < certificateInterval {
		return c.last, nil
	}
	loaded, err := c.load()
	c.read = time.Now()
	switch {
	case err == nil:
		c.last = loaded
	case c.last == nil:
		return nil, err
	default:
		c.logger.Error("the certificate cannot be read; the last one stays in use", slog.Any("error", err))
	}
	return c.last, nil
}

func (c *certificateFile) load() (*tls.Certificate, error) {
	guard, web := safepath.New(), c.config.file.GetHttps()
	chain, err := guard.ReadPublic(c.config.path(web.GetCertFile()), maxFile)
	if err != nil {
		return nil, fmt.Errorf("https.cert_file: %w", err)
	}
	key, err := guard.ReadSecret(c.config.path(web.GetKeyFile()), maxFile)
	if err != nil {
		return nil, fmt.Errorf("https.key_file: %w", err)
	}
	loaded, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("https: %w", err)
	}
	return &loaded, nil
}
