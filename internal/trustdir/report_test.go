package trustdir_test

import (
	"strings"
	"testing"

	"github.com/parley-rpc/parley/internal/trustdir"
)

func TestJournal(t *testing.T) {
	s := newState(t)
	key, bad := newKey(t), newKey(t)
	entry := s.put(orders, key)
	var j journal
	d := trustdir.Open(s.dir, trustdir.Options{ValidID: validID, Logger: j.logger()})
	check := func() {
		_ = d.Check()
		_ = d.Check() // says nothing new
	}
	check()
	spoilt := fileOf(t, payments, bad)
	s.write(spoilt, "{")
	check()
	s.remove(spoilt)
	s.remove(entry)
	check()
	s.chmod(".", 0o777)
	check()
	s.chmod(".", 0o700)
	check()
	want := `level=INFO msg="key trusted" generation=1 id=spiffe://shop/orders kid=KID
level=WARN msg="file skipped" generation=1 problem="DIR/SPOILT: no strict JSON object, so publish the key anew: no member name at byte 1"
level=WARN msg="key no longer trusted" generation=2 id=spiffe://shop/orders kid=KID reason=deleted
level=ERROR msg="trust directory cannot be read" generation=2 error="DIR: group or others may write there (mode 0777); run: chmod go-w DIR"
level=INFO msg="trust directory can be read again" generation=2
`
	got := strings.NewReplacer(key.Thumbprint(), "KID", s.dir, "DIR", spoilt, "SPOILT").Replace(j.String())
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
