package auth_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/principal"
)

// jwtText is the beginning of a token. A thumbprint may have its first letters, too, but no dot behind them.
var jwtText = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.`)

// callerKey returns a server whose handler tells by which key its caller was proven.
func callerKey(t testing.TB, i *auth.Identity) (*server, <-chan string) {
	t.Helper()
	seen := make(chan string, 1)
	return serve(t, payments{quote: func(ctx context.Context) error {
		p, _ := principal.PeerFromContext(ctx)
		seen <- p.KeyID
		return nil
	}}, i.ServerOptions(nil)...), seen
}

// A key file that is replaced is used for new handshakes and tokens once the trust directory vouches for the new key,
// and not before; a file that makes no sense changes nothing and is named in the log.
func TestOwnKeyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		payment := w.identity("payments")
		orders := auth.TrustDir(w.dir, w.id("orders"), auth.WithLogger(logTo(w.log)))
		defer orders.Close()
		if err := orders.Check(); err != nil {
			t.Fatal(err)
		}
		s, seen := callerKey(t, payment)
		proven := func(when string, want *jose.PrivateKey) {
			t.Helper()
			cc := dial(t, s.dialer, orders.DialOptions(payment.ID())...)
			if err := quote(t.Context(), cc); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if got := <-seen; got != want.Public().Thumbprint() {
				t.Errorf("%s: proven by key %s, want %s", when, got, want)
			}
			token, err := orders.Token(payment.ID(), nil, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := jose.Parse(token, "at+jwt")
			if err != nil || parsed.KeyID() != want.Public().Thumbprint() {
				t.Errorf("%s: token %v, %v", when, parsed, err)
			}
		}
		path := filepath.Join(w.dir, "keys", "shop.example", "orders.jwk")
		old, next := w.key("orders"), newKey(t, jose.ES256)
		proven("at first", old)

		write(t, path, "no key")
		time.Sleep(reread)
		proven("malformed file", old)
		if !strings.Contains(w.log.String(), path+": holds no private key") {
			t.Error("the log does not name the file")
		}

		text, err := next.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, string(text))
		time.Sleep(reread)
		proven("not vouched for", old)
		if !strings.Contains(w.log.String(), "does not vouch for key "+next.Public().Thumbprint()) {
			t.Error("the log does not say what the new key waits for")
		}

		w.enroll("orders") // publishes the key that lies there
		time.Sleep(2 * reread)
		proven("vouched for", next)
		if n := strings.Count(w.log.String(), "own credential not renewed"); n != 2 {
			t.Errorf("the log complains %d times, want once for each mistake", n)
		}

		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reread)
		proven("readable for all", next)
		if jwtText.MatchString(w.log.String()) {
			t.Error("there is a token in the log")
		}
	})
}

// A service that enrolls itself publishes its new key itself.
func TestOwnKeyIsReplacedAndEnrolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		payment, orders := w.identity("payments"), w.identity("orders")
		s, seen := callerKey(t, payment)
		next := w.replaceKey("orders")
		time.Sleep(3 * reread)
		if err := quote(t.Context(), dial(t, s.dialer, orders.DialOptions(payment.ID())...)); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got != next.Public().Thumbprint() {
			t.Errorf("proven by %s", got)
		}
	})
}

// A server whose key was revoked is called again when it has another one: after it has noticed the file, after the
// client has noticed the key, and after the longest wait of gRPC between two handshakes, 5 s and a fifth.
func TestRevokedKeyIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{})
		if err := quote(t.Context(), p.cc); err != nil {
			t.Fatal(err)
		}
		p.w.revoke("payments")
		time.Sleep(time.Minute)
		if err := quote(t.Context(), p.cc); err == nil {
			t.Fatal("a revoked key was good for a call")
		}
		p.w.replaceKey("payments")
		replaced := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := quote(ctx, p.cc, waitForReady); err != nil {
			t.Error(err)
		}
		if waited := time.Since(replaced); waited > 2*reread+6*time.Second {
			t.Errorf("the server was called again after %v, want at most %v", waited, 2*reread+6*time.Second)
		}
	})
}

// A key that stays with a signer proves a workload as one in a file does.
func TestSigner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("payments")
		payment := w.identity("payments")
		s, seen := callerKey(t, payment)
		signer := newSigner(t)
		orders := auth.TrustDir(w.dir, w.id("orders"), auth.WithSigner(signer), auth.WithEnroll())
		defer orders.Close()
		if err := orders.Check(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(reread)
		if err := quote(t.Context(), dial(t, s.dialer, orders.DialOptions(payment.ID())...)); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; len(got) != 43 {
			t.Errorf("proven by %q", got)
		}
		time.Sleep(time.Minute) // nothing is there to be renewed
	})
}

// The key and the identity token of a workload are two files, and neither is used without the other.
func TestIssuedKeyAndTokenAreReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogin(t)
		old, next := newKey(t, jose.EdDSA), newKey(t, jose.ES256)
		payment := l.identity("payments", l.hire("payments", newKey(t, jose.EdDSA), time.Hour), l.keys())
		files := l.hire("orders", old, time.Hour)
		orders := l.identity("orders", files, l.keys())
		ready(t, payment)
		ready(t, orders)
		s, seen := callerKey(t, payment)
		proven := func(when string, want *jose.PrivateKey) {
			t.Helper()
			if err := quote(t.Context(), dial(t, s.dialer, orders.DialOptions(payment.ID())...)); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			if got := <-seen; got != want.Public().Thumbprint() {
				t.Errorf("%s: proven by %s, want %s", when, got, want)
			}
		}
		proven("at first", old)
		text, err := next.MarshalJWK()
		if err != nil {
			t.Fatal(err)
		}
		write(t, files.key, string(text))
		time.Sleep(time.Minute)
		proven("new key, old token", old)
		write(t, files.token, l.witness("spiffe://shop.example/orders", old, time.Hour))
		time.Sleep(time.Minute)
		proven("new key, another token for the old one", old)
		write(t, files.token, "junk")
		time.Sleep(time.Minute)
		proven("new key, no token", old)
		write(t, files.token, l.witness("spiffe://shop.example/orders", next, time.Hour))
		time.Sleep(time.Minute)
		proven("new key, new token", next)
		write(t, files.token, l.witness("spiffe://shop.example/ledger", next, time.Hour))
		time.Sleep(time.Minute)
		proven("another workload's token", next)
	})
}
