package main

import (
	"strings"
	"testing"
	"time"
)

func TestResultIsReadBackAsItWasWritten(t *testing.T) {
	want := result{
		kind: charge, id: "caller-0-7", begun: time.Unix(0, 1234567890), took: time.Second,
		code: "Unavailable", text: "the bank is closed",
	}
	got, err := parseResult(want.String())
	if err != nil || got != want {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
	if _, err := parseResult("half a line"); err == nil {
		t.Error("half a line is a result")
	}
}

// The oracle must see every kind of broken promise, and nothing else.
func TestBrokenPromisesAreSeen(t *testing.T) {
	began := time.Unix(1000, 0)
	whole := step{began: began, ended: began.Add(10 * time.Second)}
	strict, settling, none := whole, whole, whole
	strict.quotes, strict.charges = true, true
	settling.charges, settling.settles = true, 3*time.Second
	none.passNone, none.settles = true, 3*time.Second
	call := func(kind, id, code string, after time.Duration) result {
		return result{kind: kind, id: id, code: code, begun: began.Add(after)}
	}
	for name, c := range map[string]struct {
		step    step
		result  result
		charges int // in the ledger
		want    string
	}{
		"a good charge":                         {strict, call(charge, "a", "OK", 0), 1, ""},
		"a double charge":                       {whole, call(charge, "a", "OK", 0), 2, "1 double charges"},
		"a double charge of a call that failed": {whole, call(charge, "a", "Unavailable", 0), 2, "1 double charges"},
		"a lost charge":                         {whole, call(charge, "a", "OK", 0), 0, "1 lost charges"},
		"a failed charge that was not made":     {whole, call(charge, "a", "Unavailable", 0), 0, ""},
		"a failed charge, where none may":       {strict, call(charge, "a", "Unavailable", 0), 0, "1 failed charges"},
		"a failed quote, where none may":        {strict, call(quote, "a", "Unavailable", 0), 0, "1 failed quotes"},
		"a failed quote":                        {whole, call(quote, "a", "Unavailable", 0), 0, ""},
		"a charge that fails early":             {settling, call(charge, "a", "Unavailable", 2*time.Second), 0, ""},
		"a charge that fails late":              {settling, call(charge, "a", "Unavailable", 4e9), 0, "1 failed charges"},
		"a refund that passes":                  {whole, call(refund, "a", "OK", 0), 0, "1 refunds that passed"},
		"a refund that is refused":              {strict, call(refund, "a", "PermissionDenied", 0), 0, ""},
		"a quote that passes early":             {none, call(quote, "a", "OK", 2*time.Second), 0, ""},
		"a quote that passes late":              {none, call(quote, "a", "OK", 4*time.Second), 0, "1 quotes that passed"},
		"a call of another step":                {strict, call(quote, "a", "Unavailable", 11*time.Second), 0, ""},
	} {
		charges := map[string]int{}
		if c.charges > 0 {
			charges["a"] = c.charges
		}
		broken := count(c.step, []result{c.result}, charges).broken(c.step)
		switch {
		case c.want == "" && len(broken) > 0:
			t.Errorf("%s: %v", name, broken)
		case c.want != "" && (len(broken) != 1 || !strings.Contains(broken[0].Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, broken, c.want)
		}
	}
	if err := report(new(strings.Builder), []step{whole}, nil, nil); err == nil {
		t.Error("no results at all are a success")
	}
}
