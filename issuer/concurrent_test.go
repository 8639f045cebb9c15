package issuer_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/parley-rpc/parley/issuer"
)

// Everything may happen at once: logins, one of them twice, exchanges, readings of the key set and changes of the keys.
func TestConcurrentUse(t *testing.T) {
	s := newShop(t, issuer.WithRate(1_000_000, 1_000_000))
	twice := s.ownForm()
	var mu sync.Mutex
	good := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				for _, form := range []map[string][]string{s.ownForm(), s.aliceForm(), twice} {
					if r := s.post(form); r.status == http.StatusOK {
						mu.Lock()
						good++
						mu.Unlock()
					}
				}
				s.ask(http.MethodGet, "/jwks.json")
			}
		})
	}
	for range 5 {
		old := s.keys.State()[0].KeyID
		if _, err := s.keys.Rotate(newSigner(t)); err != nil {
			t.Error(err)
		}
		if err := s.keys.Revoke(old); err != nil {
			t.Error(err)
		}
	}
	all.Wait()
	if want := 8*5*2 + 1; good != want {
		t.Errorf("%d tokens, want %d", good, want)
	}
}
