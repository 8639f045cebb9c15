package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// tokenLifetime is how long the printed token for grpcurl is good: as long as a bearer token may be.
const tokenLifetime = time.Hour

// serveShop starts a third replica of payments that other programs can call, keeps some traffic going, prints what to
// try, and serves until ctx ends.
func serveShop(ctx context.Context, out io.Writer, s *shop) error {
	cert, err := writeCertificate(s.options.dir)
	if err != nil {
		return err
	}
	open, err := openReplica(ctx, s, cert)
	if err != nil {
		return err
	}
	token, err := s.orders.identity.Token(open.identity.ID(), nil, tokenLifetime)
	if err != nil {
		return err
	}
	tokenFile := filepath.Join(s.options.dir, "token")
	if err := os.WriteFile(tokenFile, []byte(token), 0o600); err != nil {
		return err
	}
	addr := open.server.Addr().String()
	fmt.Fprintf(out, `
Still running; stop with Ctrl-C. Try:

  the live page        http://%s/
  its effective policy http://%s/describe

  the services of payments, as orders (the token is good for %s):
    grpcurl -cacert %s -H "authorization: Bearer $(cat %s)" %s list
  a call:
    grpcurl -cacert %s -H "authorization: Bearer $(cat %s)" -d '{"order_id": "42"}' \
      %s shop.payments.v1.PaymentsService/GetQuote
  the same call without the token is refused.

  spans in an OTLP backend: start this with OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318
`, s.options.adminAddr, s.options.adminAddr, tokenLifetime,
		cert.authority, tokenFile, addr, cert.authority, tokenFile, addr)
	keepCalling(ctx, s)
	return nil
}

// openReplica starts a replica of payments that also takes bearer tokens over ordinary TLS.
func openReplica(ctx context.Context, s *shop, cert certificate) (*service, error) {
	config := filepath.Join(s.options.dir, "payments.yaml")
	text := fmt.Sprintf("servers:\n  payments:\n    carriers: [token]\n    tls: {cert: %q, key: %q}\n", cert.chain,
		cert.key)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	replica := s.service("payments", "payments-2", framework.WithConfigFile(config))
	replica.server = replica.app.Server("127.0.0.1:0", framework.WithReflection())
	paymentsv1.RegisterPaymentsServiceServer(replica.server, &payments{replica: "payments-2", troubles: s.troubles})
	return replica, s.start(ctx, replica)
}

// script is what the traffic of -serve does, over and over: how many attempts of a call fail before one succeeds. The
// retries stay below a tenth of the calls, which is what the retry budget pays for.
func script() []step {
	steps := make([]step, 40)
	for i := range steps {
		steps[i].charge = i%3 == 2
	}
	steps[9].failing = 1  // recovered
	steps[21].failing = 2 // recovered on the third attempt
	steps[32].failing = 1 // a charge, which nothing repeats
	return steps
}

// step is one call of the script.
type step struct {
	charge  bool
	failing int32
}

// keepCalling plays the script until ctx ends, so that the live page lives.
func keepCalling(ctx context.Context, s *shop) {
	ticker := time.NewTicker(400 * time.Millisecond)
	defer ticker.Stop()
	steps := script()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		step := steps[i%len(steps)]
		s.troubles.failing.Store(step.failing)
		_ = callOnce(ctx, s.payments, step.charge) // what fails is on the live page
	}
}
