package auth_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// What is wrong with an identity is said all at once, with the place and the remedy.
func TestCheckNamesEveryMistake(t *testing.T) {
	w := newWorld(t)
	w.enroll("orders", "payments")
	open := filepath.Join(t.TempDir(), "open.jwk")
	text, err := os.ReadFile(filepath.Join(w.dir, "keys", "shop.example", "orders.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(open, text, 0o644); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(t.TempDir(), "garbage.jwk")
	if err := os.WriteFile(garbage, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		identity *auth.Identity
		want     []string
	}{
		"everything": {
			auth.TrustDir("", principal.ID{}, auth.WithMaxConnectionAge(time.Hour), auth.WithAcceptDomains(principal.TrustDomain{}), nil),
			[]string{"no ID", "no directory", "WithMaxConnectionAge: 1h0m0s", "WithAcceptDomains"},
		},
		"no key":            {auth.TrustDir(w.dir, w.id("ledger")), []string{"ledger.jwk", "enroll"}},
		"no directory":      {auth.TrustDir(filepath.Join(w.dir, "nowhere"), w.id("orders"), auth.WithKeyFile(open)), []string{"nowhere", "open.jwk"}},
		"key for all":       {auth.TrustDir(w.dir, w.id("orders"), auth.WithKeyFile(open)), []string{open, "chmod 600"}},
		"malformed key":     {auth.TrustDir(w.dir, w.id("orders"), auth.WithKeyFile(garbage)), []string{garbage, "JSON Web Key"}},
		"key of another":    {auth.TrustDir(w.dir, w.id("orders"), auth.WithKeyFile(filepath.Join(w.dir, "keys", "shop.example", "payments.jwk"))), []string{"belongs to spiffe://shop.example/payments", "a key of its own"}},
		"enrolls as if own": {auth.TrustDir(w.dir, w.id("orders"), auth.WithEnroll(), auth.WithKeyFile(filepath.Join(w.dir, "keys", "shop.example", "payments.jwk"))), []string{"payments"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.identity.Check()
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("Check does not say %q: %v", want, err)
				}
			}
			if _, err := test.identity.Token(w.id("payments"), nil, time.Minute); err == nil {
				t.Error("an identity that is not usable minted a token")
			}
			if err := test.identity.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckOfARevokedOrUnpublishedKey(t *testing.T) {
	w := newWorld(t)
	w.enroll("orders", "payments")
	w.revoke("orders")
	w.forget("payments")
	for service, want := range map[string]string{"orders": "revoked", "payments": "publish it"} {
		i := auth.TrustDir(w.dir, w.id(service))
		if err := i.Check(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), w.dir) {
			t.Errorf("%s: Check says %v", service, err)
		}
		_ = i.Close()
	}
}

// A service enrolls itself only where nobody else can write, or read.
func TestEnrollNeedsADirectoryOfItsOwn(t *testing.T) {
	w := newWorld(t)
	if err := os.Chmod(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	i := auth.TrustDir(w.dir, w.id("orders"), auth.WithEnroll())
	if err := i.Check(); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("Check says %v", err)
	}
	_ = i.Close()
	if err := auth.Enroll(w.dir, w.id("orders")); err != nil {
		t.Errorf("the operator: %v", err)
	}
}

// A mistake that is mended is gone with the next Check.
func TestCheckAgain(t *testing.T) {
	w := newWorld(t)
	i := auth.TrustDir(w.dir, w.id("orders"))
	if err := i.Check(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	w.enroll("orders")
	for range 2 {
		if err := i.Check(); err != nil {
			t.Errorf("after: %v", err)
		}
	}
	for range 2 {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := i.Check(); !errors.Is(err, auth.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestGateCheck(t *testing.T) {
	w := newWorld(t)
	w.enroll("payments")
	gate := w.identity("payments").Server(nil, auth.WithMaxHandshakes(0), auth.WithBearer(nil))
	for _, want := range []string{"WithMaxHandshakes(0)", "WithBearer"} {
		if err := gate.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %q: %v", want, err)
		}
	}
	if text := gate.String(); text != "auth.Server(auth.WithMaxHandshakes(0), auth.WithBearer)" {
		t.Error(text)
	}
}

func TestIdentityPrintsItself(t *testing.T) {
	w := newWorld(t)
	i := auth.TrustDir("/etc/parley", w.id("orders"), auth.WithKeyFile("/run/key.jwk"), auth.WithEnroll(), auth.WithES256(),
		auth.WithAcceptDomains(w.domain), auth.WithMaxConnectionAge(time.Minute), auth.WithLogger(nil))
	const want = `auth.TrustDir("/etc/parley", spiffe://shop.example/orders, auth.WithKeyFile("/run/key.jwk"), auth.WithEnroll(), ` +
		`auth.WithES256(), auth.WithAcceptDomains(shop.example), auth.WithMaxConnectionAge(1m0s), auth.WithLogger)`
	if got := i.String(); got != want {
		t.Errorf("got %s", got)
	}
}
