package auth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/tokens"
)

// The other sources that need nothing but what they hold.
func TestSelfSignedAndStaticTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.enroll("orders", "payments")
		orders := w.identity("orders")
		token, err := orders.SelfSignedTokens("payments.read").Token(t.Context(), w.id("payments"))
		if err != nil || time.Until(token.Expires) != 10*time.Minute {
			t.Fatalf("%v, %v", token, err)
		}
		if err := quote(withBearer(t.Context(), token.Value), foreigner(t, w, payments{})); err != nil {
			t.Error(err)
		}
		same, err := tokens.Text(token.Value).Token(t.Context(), w.id("payments"))
		if err != nil || same.Value != token.Value || !same.Expires.Equal(token.Expires.Truncate(time.Second)) {
			t.Errorf("%v, %v", same, err)
		}
		time.Sleep(10 * time.Minute)
		if _, err := tokens.Text(token.Value).Token(t.Context(), w.id("payments")); err == nil {
			t.Error("an expired token")
		}
	})
}
