package auth

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// However many unproven addresses a flood comes from, the entries of proven peers stay.
func TestAFloodOfUnprovenPeersHidesNobody(t *testing.T) {
	r, now := newRefusals(), time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		t.Fatal(err)
	}
	orders, err := domain.ID("orders")
	if err != nil {
		t.Fatal(err)
	}
	r.add(Refusal{Of: ofCall, Peer: orders, Reason: rpcerr.PolicyDenied}, now)
	lines := 0
	for n := range 1000 {
		address := fmt.Sprintf("10.0.%d.%d:%d", n/250, n%250, n)
		refusal := Refusal{Of: ofCall, Address: address, Reason: rpcerr.CredentialsMissing}
		if log, _, _ := r.add(refusal, now.Add(time.Second)); log {
			lines++
		}
	}
	if lines != logBurst {
		t.Errorf("%d lines were logged, want %d", lines, logBurst)
	}
	if list := r.list(); len(list) != maxRefusals+1 || list[len(list)-1].Peer != orders {
		t.Errorf("%d entries, the oldest %+v; want %d, the oldest of orders", len(list), list[len(list)-1], maxRefusals+1)
	}
}

// The causes of one peer are as many lines, and bounded: the first hides no other, and none fills the log.
func TestEachCauseHasItsLine(t *testing.T) {
	r, now := newRefusals(), time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	add := func(cause string) bool {
		log, _, _ := r.add(
			Refusal{Of: ofCall, Address: "10.0.0.1:1", Reason: rpcerr.CredentialsInvalid, Cause: cause}, now)
		return log
	}
	for n, step := range []struct {
		cause string
		log   bool
	}{
		{"jti is missing", true},
		{"jti is missing", false},
		{"aud is not this server", true},
		{`iss is "a", which is no issuer that is accepted here`, true},
		{`iss is "b", which is no issuer that is accepted here`, false},
		{"aud names 2 audiences; at most 1 are accepted", true},
		{"aud names 3 audiences; at most 1 are accepted", false},
	} {
		if log := add(step.cause); log != step.log {
			t.Errorf("line %d, %s: logged: %v, want %v", n+1, step.cause, log, step.log)
		}
	}
	lines := 4
	for n := range 1000 {
		if add(strings.Repeat("x", n+1)) {
			lines++
		}
	}
	if list := r.list(); lines != logBurst || len(list) != maxRefusals {
		t.Errorf("%d lines and %d entries, want %d and %d", lines, len(list), logBurst, maxRefusals)
	}
}

// Another port of an address is the same peer, another address, user, method, reason or cause is another one, and a
// cause is the same one whatever it quotes.
func TestEqualRefusals(t *testing.T) {
	first := Refusal{
		Of: ofCall, Address: "10.0.0.1:1000", Method: "/s.S/M", Reason: rpcerr.CredentialsMissing, Cause: `sub is not "a"`,
	}
	for name, tt := range map[string]struct {
		change func(*Refusal)
		equal  bool
	}{
		"another port":    {func(r *Refusal) { r.Address = "10.0.0.1:2000" }, true},
		"another cause":   {func(r *Refusal) { r.Cause = `aud is not "a"` }, false},
		"another quote":   {func(r *Refusal) { r.Cause = `sub is not "b"` }, true},
		"another address": {func(r *Refusal) { r.Address = "10.0.0.2:1000" }, false},
		"another user":    {func(r *Refusal) { r.User = "x" }, false},
		"another method":  {func(r *Refusal) { r.Method = "/s.S/N" }, false},
		"another reason":  {func(r *Refusal) { r.Reason = rpcerr.CredentialsInvalid }, false},
		"on trial":        {func(r *Refusal) { r.Of = ofTrial }, false},
	} {
		other := first
		tt.change(&other)
		if equal := first.key() == other.key(); equal != tt.equal {
			t.Errorf("%s: equal %v, want %v", name, equal, tt.equal)
		}
	}
}

// Without a logger of its own, an Identity sends what is worth a warning to the default logger of the process, and
// nothing else.
func TestTheDefaultLogWarns(t *testing.T) {
	identity := newIdentity(principal.ID{}, directory{}, nil)
	handler, ok := identity.config.logger.Handler().(warnings)
	if !ok || handler.Handler != slog.Default().Handler() {
		t.Fatalf("the default handler is %T of %T", identity.config.logger.Handler(), handler.Handler)
	}
	var text strings.Builder
	log := slog.New(warnings{slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})})
	grouped := log.With(slog.Int("a", 1)).WithGroup("g")
	grouped.Info("proven")
	grouped.Warn("refused", slog.Int("b", 2))
	if got := text.String(); strings.Contains(got, "proven") || !strings.Contains(got, "msg=refused a=1 g.b=2") {
		t.Errorf("the log is %q", got)
	}
}
