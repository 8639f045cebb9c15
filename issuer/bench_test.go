package issuer_test

import (
	"net/http"
	"testing"

	"github.com/parley-rpc/parley/issuer"
)

// BenchmarkLogin is a token in a service's own name: two signatures that are made, that of the service included, and
// one that is checked.
func BenchmarkLogin(b *testing.B) {
	s := newShop(b, issuer.WithRate(1_000_000, 1_000_000), issuer.WithLogger(nil))
	b.ReportAllocs()
	for b.Loop() {
		if r := s.post(s.ownForm()); r.status != http.StatusOK {
			b.Fatalf("%d %v", r.status, r.members)
		}
	}
}

// BenchmarkStranger is what somebody costs who signs for a service with another key.
func BenchmarkStranger(b *testing.B) {
	s := newShop(b)
	forged := sign(b, s.edge, assertionType, honest(edge))
	form := s.formWith(forged[:len(forged)-86] + sign(b, s.orders, assertionType, honest(edge))[len(forged)-86:])
	b.ReportAllocs()
	for b.Loop() {
		if r := s.post(form); r.text("error") != "invalid_client" {
			b.Fatalf("%d %v", r.status, r.members)
		}
	}
}
