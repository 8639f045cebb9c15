package waterfall_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"

	"github.com/parley-rpc/parley/waterfall"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// drawings are the calls that the golden files show.
var drawings = []struct {
	name string
	play func(*tape)
}{
	{"clean", func(tp *tape) {
		call := tp.call(tp.background(), quote, 0, deadline(2*time.Second))
		tp.attempt(call, 1, 100*time.Microsecond).end(4100*time.Microsecond, "OK", at("10.0.0.1", 8443)...)
		call.end(4200*time.Microsecond, "OK", stopped("none", "ok", 1)...)
	}},
	{"recovered", func(tp *tape) {
		call := tp.call(tp.background(), quote, 0, deadline(2*time.Second))
		tp.attempt(call, 1, 0).end(4*ms, "UNAVAILABLE", at("10.0.0.1", 8443)...)
		call.wait(4*ms, 2, 48*ms, "policy")
		tp.attempt(call, 2, 52*ms).end(58*ms, "UNAVAILABLE", at("10.0.0.2", 8443)...)
		call.wait(58*ms, 3, 93*ms, "policy")
		tp.attempt(call, 3, 151*ms).end(182*ms, "OK", at("10.0.0.1", 8443)...)
		call.end(182*ms, "OK", stopped("recovered", "ok", 3)...)
	}},
	{"no_room_before_the_deadline", func(tp *tape) {
		call := tp.call(tp.background(), quote, 0, deadline(300*ms))
		tp.attempt(call, 1, 0).end(92*ms, "UNAVAILABLE", at("10.0.0.2", 8443)...)
		call.event(92*ms, "retry.aborted", attribute.String("reason", "deadline"))
		call.end(92*ms, "UNAVAILABLE", stopped("deadline", "deadline", 1)...)
	}},
	{"deadline_exceeded", func(tp *tape) {
		call := tp.call(tp.background(), quote, 0, deadline(250*ms))
		tp.attempt(call, 1, 0).end(80*ms, "UNAVAILABLE", at("10.0.0.1", 8443)...)
		call.wait(80*ms, 2, 50*ms, "pushback")
		tp.attempt(call, 2, 130*ms).end(250*ms, "DEADLINE_EXCEEDED", at("10.0.0.2", 8443)...)
		call.end(250*ms, "DEADLINE_EXCEEDED", stopped("deadline", "deadline", 2)...)
	}},
	{"not_idempotent", func(tp *tape) {
		call := tp.call(tp.background(), charge, 0)
		tp.attempt(call, 1, 0).end(12*ms, "UNAVAILABLE", at("10.0.0.1", 8443)...)
		call.end(12*ms, "UNAVAILABLE", stopped("not_idempotent", "not_idempotent", 1)...)
	}},
	{"budget", func(tp *tape) {
		call := tp.call(tp.background(), quote, 0)
		tp.attempt(call, 1, 0).end(3*ms, "UNAVAILABLE")
		call.event(3*ms, "retry.exhausted", attribute.String("reason", "budget"))
		call.end(3*ms, "UNAVAILABLE", stopped("budget", "budget", 1)...)
	}},
	{"hedged", func(tp *tape) {
		call := tp.call(tp.background(), quote, 0)
		slow := tp.attempt(call, 1, 0)
		hedge := tp.attempt(call, 2, 40*ms, attribute.Bool("parley.hedge", true))
		hedge.end(66*ms, "OK", at("10.0.0.2", 8443)...)
		slow.end(66*ms, "CANCELLED", at("10.0.0.1", 8443)...)
		call.end(66*ms, "OK", stopped("none", "ok", 2)...)
	}},
	{"two_hops_in_one_process", func(tp *tape) {
		order := tp.call(tp.background(), place, 0)
		first := tp.attempt(order, 1, 0)
		server := tp.serve(first, place, 2*ms)
		pay := tp.call(server, charge, 10*ms)
		a := tp.attempt(pay, 1, 10*ms)
		tp.serve(a, charge, 12*ms).end(16*ms, "UNAVAILABLE")
		a.end(18*ms, "UNAVAILABLE", at("10.0.0.1", 8443)...)
		pay.wait(18*ms, 2, 60*ms, "policy")
		b := tp.attempt(pay, 2, 78*ms)
		tp.serve(b, charge, 80*ms).end(148*ms, "OK")
		b.end(150*ms, "OK", at("10.0.0.2", 8443)...)
		pay.end(150*ms, "OK", stopped("recovered", "ok", 2)...)
		server.end(180*ms, "OK")
		first.end(184*ms, "OK", at("127.0.0.1", 40123)...)
		order.end(184*ms, "OK", stopped("none", "ok", 1)...)
	}},
	{"served", func(tp *tape) {
		tp.serve(tp.remote(), quote, 0, append(at("10.9.0.4", 51200),
			attribute.Int("previous-rpc-attempts", 2))...).end(31*ms, "OK")
	}},
	{"without_attempts", func(tp *tape) {
		tp.call(tp.background(), quote, 0).end(1500*time.Microsecond, "OK", attribute.Int("parley.attempts", 1))
	}},
	{"expired_before_sending", func(tp *tape) {
		tp.call(tp.background(), quote, 0, deadline(0)).end(20*time.Microsecond, "DEADLINE_EXCEEDED",
			stopped("deadline", "deadline", 0)...)
	}},
	{"hostile_names", func(tp *tape) {
		call := tp.call(tp.background(), strings.Repeat("very.long.package.", 9)+"Service/\x1b[2JMethod", 0)
		tp.attempt(call, 1, 0).end(5*ms, "\x1b[31mOK"+strings.Repeat("!", 80), at(strings.Repeat("fe80::1%\r\n", 20), 1)...)
		call.end(5*ms, "\x07", stopped("x", strings.Repeat("why\n", 99), 1)...)
	}},
}

func TestText(t *testing.T) {
	for _, d := range drawings {
		t.Run(d.name, func(t *testing.T) {
			tp := newTape(4)
			d.play(tp)
			compare(t, d.name+".txt", tp.only(t).String()+"\n")
		})
	}
}

func TestTextFitsEveryWidth(t *testing.T) {
	for _, d := range drawings {
		for _, width := range []int{0, 1, 60, 72, 100, 160} {
			tp := newTape(4)
			d.play(tp)
			var b strings.Builder
			if err := (waterfall.Drawing{Width: width}).Text(&b, tp.only(t)); err != nil {
				t.Fatal(err)
			}
			limit := max(width, 60)
			if width == 0 {
				limit = 100
			}
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > limit {
					t.Errorf("%s at width %d: a line has %d characters: %q", d.name, width, n, line)
				}
			}
		}
	}
}

func TestTextIsPlainUnlessAskedForColor(t *testing.T) {
	for _, d := range drawings {
		tp := newTape(4)
		d.play(tp)
		call := tp.only(t)
		if text := call.String(); strings.ContainsRune(text, '\x1b') {
			t.Errorf("%s: the plain drawing holds an escape sequence: %q", d.name, text)
		}
		var b strings.Builder
		if err := (waterfall.Drawing{Color: true}).Text(&b, call); err != nil {
			t.Fatal(err)
		}
		if without := decolor.Replace(b.String()); without != call.String()+"\n" {
			t.Errorf("%s: colour changes more than colour:\n%s", d.name, without)
		}
	}
}

var decolor = strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "",
	"\x1b[36m", "")

func compare(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; rerun with -update if that is meant\ngot:\n%s\nwant:\n%s", name, got, want)
	}
}
