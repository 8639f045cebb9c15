package auth_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/rpcerr"
)

// A key that is revoked ends the connections of its owner, on both ends, within one reading of the directory.
func TestKeyRevokedDuringALiveConnection59(t *testing.T) {
	for name, test := range map[string]struct {
		revoke func(*world)
		reason rpcerr.Reason
	}{
		"client's key revoked": {func(w *world) { w.revoke("orders") }, rpcerr.CredentialsInvalid},
		"client's key deleted": {func(w *world) { w.forget("orders") }, rpcerr.CredentialsInvalid},
		"server's key revoked": {func(w *world) { w.revoke("payments") }, rpcerr.ServerProofInvalid},
		"server's key deleted": {func(w *world) { w.forget("payments") }, rpcerr.ServerProofInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := make(chan error, 1)
				p := newPair(t, payments{watch: block, quote: func(ctx context.Context) error {
					<-ctx.Done()
					ended <- ctx.Err()
					return ctx.Err()
				}})
				stream, err := watch(t.Context(), p.cc)
				if err != nil {
					t.Fatal(err)
				}
				unary := make(chan error)
				go func() { unary <- quote(t.Context(), p.cc) }()
				synctest.Wait()
				start := time.Now()
				test.revoke(p.w)

				_, err = stream.Recv()
				refused(t, "stream", err, codes.Unavailable, "")
				refused(t, "unary call", <-unary, codes.Unavailable, "")
				if err := <-ended; err == nil {
					t.Error("the handler's context did not end")
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("the connection lived on for %v", took)
				}
				time.Sleep(reread)
				refused(t, "next call", quote(t.Context(), p.cc), codes.Unauthenticated, test.reason)
				_, err = watch(t.Context(), p.cc)
				refused(t, "next stream", err, codes.Unauthenticated, test.reason)
			})
		})
	}
}

// Connections of others live on.
func TestOthersOutliveARevocation59(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{watch: block})
		p.w.enroll("mallory")
		stream, err := watch(t.Context(), p.cc)
		if err != nil {
			t.Fatal(err)
		}
		p.w.revoke("mallory")
		time.Sleep(time.Minute)
		if err := stream.Context().Err(); err != nil {
			t.Errorf("the stream ended: %v", err)
		}
	})
}

// Trust that comes back is noticed within seconds, however long it was gone: the backoff of gRPC stays short.
func TestTrustRestored(t *testing.T) {
	for _, who := range []string{"orders", "payments"} {
		t.Run(who, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, payments{})
				restore := p.w.forget(who)
				time.Sleep(reread)
				for range 40 { // until the backoff of gRPC is long
					if err := quote(t.Context(), p.cc); err == nil {
						t.Fatal("a key that is not trusted was good for a call")
					}
					time.Sleep(5 * time.Second)
				}
				restore()
				time.Sleep(reread)
				start := time.Now()
				if err := quote(t.Context(), p.cc, waitForReady); err != nil {
					t.Errorf("after trust was restored: %v", err)
				}
				if waited := time.Since(start); waited > 6*time.Second {
					t.Errorf("the call waited %v, want 5s and a fifth at most", waited)
				}
			})
		})
	}
}

// Row 13.30: while trust changes again and again, a call that finds no connection because of a refusal gets its status,
// and not a bare UNAVAILABLE for as long as gRPC waits to connect again.
func TestStatusDuringChangesOfTrust30(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{})
		p.w.forget("payments")
		time.Sleep(time.Minute) // until the backoff of gRPC is long
		const changes = 20
		explained, bare := 0, 0
		for n := range changes {
			p.w.enroll("other-" + strconv.Itoa(n))
			for range 30 {
				time.Sleep(100 * time.Millisecond)
				err := quote(t.Context(), p.cc)
				if reason := rpcerr.ReasonOf(err); reason == rpcerr.ServerProofInvalid {
					explained++
				} else if reason == "" {
					bare++
				} else {
					t.Errorf("another refusal: %v", err)
				}
			}
		}
		if bare > 0 {
			t.Errorf("of %d calls during %d changes of trust %d had no status of the refusal", explained+bare, changes, bare)
		}
	})
}

// A call that waits for a connection outlives a refusal that the operator mends meanwhile.
func TestWaitingCallOutlivesARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, payments{})
		restore := p.w.forget("payments")
		time.Sleep(reread)
		done := make(chan error)
		go func() { done <- quote(t.Context(), p.cc, waitForReady) }()
		time.Sleep(5 * time.Minute)
		restore()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
