package auth_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/rpcerr"
)

// claim writes the public key of a service into the directory under another ID, as someone may who can write there.
func (w *world) claim(service, id string) {
	w.t.Helper()
	key := w.key(service).Public()
	jwk, err := key.MarshalJWK()
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"id": w.id(id).String(), "jwk": json.RawMessage(jwk)})
	if err != nil {
		w.t.Fatal(err)
	}
	path := filepath.Join(w.dir, "trust", "shop.example", id+"."+key.Thumbprint()+".json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// A key that is found under two IDs is good for neither of them.
func TestKeyOfTwoIDs57(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{watch: block})
		stream, err := watch(t.Context(), p.cc)
		if err != nil {
			t.Fatal(err)
		}
		p.w.claim("orders", "reports")
		_, err = stream.Recv()
		refused(t, "stream", err, codes.Unavailable, "")
		time.Sleep(reread)
		refused(t, "next call", quote(t.Context(), p.cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
	})
}

// A key that is given to another ID takes its connections with it: the peer that they proved is not its owner any more.
func TestKeyOfAnotherID59(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{watch: block})
		stream, err := watch(t.Context(), p.cc)
		if err != nil {
			t.Fatal(err)
		}
		p.w.forget("orders")
		p.w.claim("orders", "reports")
		_, err = stream.Recv()
		refused(t, "stream", err, codes.Unavailable, "")
		time.Sleep(reread)
		refused(t, "next call", quote(t.Context(), p.cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
	})
}

// A workload may have two keys, so that it can go from one to the other without a pause.
func TestKeyRotation58(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{})
		second := filepath.Join(p.w.dir, "second.jwk")
		if err := auth.Enroll(p.w.dir, p.w.id("orders"), auth.WithKeyFile(second), auth.WithES256()); err != nil {
			t.Fatal(err)
		}
		next := p.w.identity("orders", auth.WithKeyFile(second))
		cc := dial(t, p.server.dialer, next.DialOptions(p.w.id("payments"))...)
		// The server has not read the new key yet, and reads it for this connection.
		refused(t, "with the new key", quote(t.Context(), cc), codes.OK, "")
		p.w.revoke("orders")
		time.Sleep(reread)
		refused(t, "with the old key", quote(t.Context(), p.cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
		refused(t, "with the new key alone", quote(t.Context(), cc), codes.OK, "")
	})
}

// The directory of one side disappears. For an hour the last keys are good, then that side knows nobody.
func TestDirectoryLost51(t *testing.T) {
	for _, lost := range []string{"payments", "orders"} {
		t.Run("that of "+lost, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enroll("orders", "payments")
				elsewhere := newWorld(t)
				if err := os.CopyFS(elsewhere.dir, os.DirFS(w.dir)); err != nil {
					t.Fatal(err)
				}
				keys, _ := filepath.Glob(filepath.Join(elsewhere.dir, "keys", "*", "*"))
				for _, key := range keys {
					if err := os.Chmod(key, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				s := serve(t, payments{}, w.identity("payments").ServerOptions(nil)...)
				cc := dial(t, s.dialer, elsewhere.identity("orders").DialOptions(w.id("payments"))...)
				refused(t, "before", quote(t.Context(), cc), codes.OK, "")

				gone := map[string]string{"payments": w.dir, "orders": elsewhere.dir}[lost]
				if err := os.Rename(gone, gone+".away"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(59 * time.Minute)
				refused(t, "for an hour", quote(t.Context(), cc), codes.OK, "")
				time.Sleep(2 * time.Minute)
				refused(t, "after an hour", quote(t.Context(), cc), codes.Unavailable, rpcerr.KeysUnavailable)
				if err := os.Rename(gone+".away", gone); err != nil {
					t.Fatal(err)
				}
				time.Sleep(reread)
				refused(t, "after all", quote(t.Context(), cc), codes.OK, "")
			})
		})
	}
}

// A stream that was opened with a token ends with the key that signed the token.
func TestKeyOfATokenRevoked59(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		cc := foreigner(t, w, payments{watch: block})
		ctx := withBearer(t.Context(), mint(t, w, "orders", nil))
		stream, err := watch(ctx, cc)
		if err != nil {
			t.Fatal(err)
		}
		w.revoke("orders")
		start := time.Now()
		_, err = stream.Recv()
		refused(t, "stream", err, codes.Unauthenticated, rpcerr.CredentialsExpired)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the stream lived on for %v", took)
		}
		refused(t, "next call", quote(ctx, cc), codes.Unauthenticated, rpcerr.CredentialsInvalid)
	})
}

// The end of an identity is the end of its connections.
func TestCloseEndsConnections(t *testing.T) {
	for _, who := range []string{"client", "server"} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, payments{watch: block})
				stream, err := watch(t.Context(), p.cc)
				if err != nil {
					t.Fatal(err)
				}
				want, code := rpcerr.ConfigurationInvalid, codes.FailedPrecondition
				closed := p.orders
				if who == "server" {
					closed, want, code = p.payments, rpcerr.Reason(""), codes.Unavailable
				}
				if err := closed.Close(); err != nil {
					t.Error(err)
				}
				if _, err := stream.Recv(); err == nil {
					t.Error("the stream lives on")
				}
				synctest.Wait()
				refused(t, "next call", quote(t.Context(), p.cc), code, want)
			})
		})
	}
}

// A panic in the check of a credential refuses one peer and ends nothing.
func TestPanicInTheCheckOfACredential69(t *testing.T) {
	w := newWorld(t)
	w.enroll("orders")
	hello := helloBody("", sign(t, w.key("orders"), "parley-client+jwt", claims{}))
	_, ofHello := verify.Hello(t.Context(), nil, hello, wire.Proof{Type: jose.TypeClientProof}, nil)

	own := &verify.Profile{Keys: verify.WorkloadKeys(func() (verify.Trust, error) { return nil, nil })}
	own.Default(w.id("payments"))
	v, err := verify.New(own, nil, nil, verify.NewCache(func(time.Duration) {}), func(*verify.Token) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	_, ofToken := v.Verify(t.Context(), mint(t, w, "orders", nil), time.Now())
	for name, err := range map[string]error{"handshake": ofHello, "bearer token": ofToken} {
		if r := verify.CallerRefusal(err); r.Reason != rpcerr.CredentialsInvalid || !strings.Contains(r.Cause.Error(), "panic") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
