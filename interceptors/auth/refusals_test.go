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

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// by is a refusal of an unproven peer.
func by(address string, after time.Duration) Refusal {
	return Refusal{Of: ofCall, Address: address, Method: "/s.S/M", Reason: rpcerr.CredentialsMissing,
		Last: noon.Add(after)}
}

func TestEqualRefusalsAreLoggedOnceInAWhile(t *testing.T) {
	var r refusals
	for _, step := range []struct {
		after         time.Duration
		address       string
		log           bool
		equal, others uint64
	}{
		{0, "10.0.0.1:1000", true, 0, 0},
		{time.Second, "10.0.0.1:1001", false, 0, 0}, // another port of the same address
		{2 * time.Second, "10.0.0.1:1002", false, 0, 0},
		{2 * time.Second, "10.0.0.2:1000", true, 0, 0},
		{10*time.Second - 1, "10.0.0.1:1003", false, 0, 0},
		{10 * time.Second, "10.0.0.1:1004", true, 3, 0},
		{11 * time.Second, "10.0.0.1:1005", false, 0, 0},
		{30 * time.Second, "10.0.0.1:1006", true, 1, 0},
	} {
		log, equal, others := r.add(by(step.address, step.after))
		if log != step.log || equal != step.equal || others != step.others {
			t.Errorf("after %s, %s: %v, %d, %d; want %v, %d, %d", step.after, step.address, log, equal, others, step.log,
				step.equal, step.others)
		}
	}
	list := r.list()
	if len(list) != 2 || list[0].Times != 7 || list[0].Address != "10.0.0.1:1006" || !list[0].First.Equal(noon) ||
		!list[0].Last.Equal(noon.Add(30*time.Second)) {
		t.Errorf("the list is %+v", list)
	}
}

// However many addresses a flood comes from, the log grows by so many lines in an interval, and the entries of proven
// peers stay.
func TestAFloodOfUnprovenPeersIsBounded(t *testing.T) {
	var r refusals
	domain, err := principal.ParseTrustDomain("shop.example")
	if err != nil {
		t.Fatal(err)
	}
	orders, err := domain.ID("orders")
	if err != nil {
		t.Fatal(err)
	}
	r.add(Refusal{Of: ofCall, Peer: orders, Reason: rpcerr.PolicyDenied, Last: noon})
	lines := 0
	for n := range 1000 {
		if log, _, _ := r.add(by(fmt.Sprintf("10.0.%d.%d:1", n/250, n%250), time.Second)); log {
			lines++
		}
	}
	if lines != logBurst {
		t.Errorf("%d lines were logged, want %d", lines, logBurst)
	}
	if log, _, others := r.add(by("10.9.9.9:1", 11*time.Second)); !log || others != 1000-logBurst {
		t.Errorf("the next interval logs: %v, others %d, want %d", log, others, 1000-logBurst)
	}
	list := r.list()
	if len(list) != maxRefusals+1 || list[len(list)-1].Peer != orders {
		t.Errorf("%d entries, the oldest %+v; want %d, the oldest of orders", len(list), list[len(list)-1], maxRefusals+1)
	}
	if len(r.unproven.byKey) != maxRefusals {
		t.Errorf("%d keys for %d entries", len(r.unproven.byKey), maxRefusals)
	}
}

// Without a logger of its own, an Identity sends what is worth a warning to the default logger of the process, and
// nothing else.
func TestTheDefaultLogWarns(t *testing.T) {
	identity := newIdentity(principal.ID{}, nil)
	handler, ok := identity.config.logger.Handler().(warnings)
	if !ok || handler.Handler != slog.Default().Handler() {
		t.Fatalf("the default handler is %T of %T", identity.config.logger.Handler(), handler.Handler)
	}
	var text strings.Builder
	log := slog.New(warnings{slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})})
	log.With("a", 1).WithGroup("g").Info("proven")
	log.With("a", 1).WithGroup("g").Warn("refused", "b", 2)
	if got := text.String(); strings.Contains(got, "proven") || !strings.Contains(got, "msg=refused a=1 g.b=2") {
		t.Errorf("the log is %q", got)
	}
}
