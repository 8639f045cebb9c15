package trustdir_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/trustdir"
)

// A full directory refuses further names only. Known keys, removals and revocations count.
func TestFullDirectory13_33(t *testing.T) {
	s := newState(t)
	keys := make([]*jose.PublicKey, 6)
	files := make([]string, len(keys))
	for i := range keys {
		keys[i] = newKey(t)
		files[i] = fileOf(t, fmt.Sprintf("spiffe://shop%d/orders", i%2), keys[i])
	}
	put := func(i int) { s.put(fmt.Sprintf("spiffe://shop%d/orders", i%2), keys[i]) }
	for i := range 4 {
		put(i)
	}
	var j journal
	d := trustdir.Open(s.dir, trustdir.Options{ValidID: validID, Logger: j.logger()})
	d.Hold(5)
	trusted := func(when string, want ...int) {
		t.Helper()
		s.must(d.Check())
		for i, key := range keys {
			wanted := false
			for _, w := range want {
				wanted = wanted || w == i
			}
			if d.Current(key.Thumbprint()) != wanted {
				t.Errorf("%s: key %d is trusted: %v", when, i, !wanted)
			}
		}
	}
	trusted("four of five", 0, 1, 2, 3)
	warned := strings.Count(j.String(), "nearly full")
	if warned != 1 || !strings.Contains(j.String(), "files=4 limit=5") {
		t.Errorf("warned %d times at 80 %%:\n%s", warned, j.String())
	}
	put(4)
	put(5)
	trusted("six", 0, 1, 2, 3, 4)
	refused := d.Skipped()
	if len(refused) != 1 || refused[0].Path != s.path(files[5]) ||
		!strings.Contains(refused[0].Err.Error(), "already holds 5 files") {
		t.Errorf("refused are %v", refused)
	}
	if st := d.State(); st.Files != 5 || st.Limit != 5 || st.Err != nil {
		t.Errorf("state %+v", st)
	}
	err := d.Publish(payments, newKey(t))
	if err == nil || !strings.Contains(err.Error(), "remove keys that are no longer used") {
		t.Errorf("published in a full directory: %v", err)
	}
	s.must(d.Publish("spiffe://shop0/orders", keys[0])) // is there already
	s.write("revoked/"+keys[1].Thumbprint(), "")
	trusted("one revoked", 0, 2, 3, 4)
	s.remove(files[2])
	s.must(d.Check()) // sees the room in one folder after it has passed the other one
	trusted("one removed", 0, 3, 4, 5)
	if len(d.Skipped()) != 0 {
		t.Errorf("refused are %v", d.Skipped())
	}
	put(2)
	trusted("back, and too many again", 0, 3, 4, 5)
}

func TestRefusedFilesAreNamedUpToABound(t *testing.T) {
	s := newState(t)
	for range 30 {
		s.put(orders, newKey(t))
	}
	d := trustdir.Open(s.dir, trustdir.Options{ValidID: validID, Logger: slog.New(slog.DiscardHandler)})
	d.Hold(3)
	s.must(d.Check())
	skipped := d.Skipped()
	if n := len(d.Entries()); n != 3 || len(skipped) != 21 || !strings.HasPrefix(skipped[20].Err.Error(), "7 more files") {
		t.Errorf("%d entries, %d skipped, the last of them %v", n, len(skipped), skipped[len(skipped)-1])
	}
}

// Every revocation counts, however many there are.
func TestRevocationsHaveNoLimit(t *testing.T) {
	s := newState(t)
	key := newKey(t)
	s.put(orders, key)
	for i := range 10 {
		s.write(fmt.Sprintf("revoked/%043d", i), "")
	}
	s.write("revoked/"+key.Thumbprint(), "")
	d := s.open()
	d.Hold(3)
	s.must(d.Check())
	if d.Current(key.Thumbprint()) {
		t.Error("a revoked key is trusted")
	}
}
