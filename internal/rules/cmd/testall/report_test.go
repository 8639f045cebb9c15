package main

import (
	"strings"
	"testing"
)

// What go test -json says, and what is printed of it.
func TestReport(t *testing.T) {
	const events = `
{"Action":"start","Package":"github.com/parley-rpc/parley/policy"}
{"Action":"output","Package":"github.com/parley-rpc/parley/policy","Output":"-test.shuffle 1\n"}
{"Action":"output","Package":"github.com/parley-rpc/parley/policy","Test":"TestGood","Output":"=== RUN TestGood\n"}
{"Action":"pass","Package":"github.com/parley-rpc/parley/policy","Test":"TestGood/part","Elapsed":9}
{"Action":"pass","Package":"github.com/parley-rpc/parley/policy","Test":"TestGood","Elapsed":1.5}
{"Action":"output","Package":"github.com/parley-rpc/parley/policy","Output":"ok policy 1.6s\n"}
{"Action":"pass","Package":"github.com/parley-rpc/parley/policy","Elapsed":1.6}
{"Action":"output","Package":"p","Test":"TestBad","Output":"it is broken\n"}
{"Action":"fail","Package":"p","Test":"TestBad","Elapsed":2}
{"Action":"output","Package":"p","Output":"FAIL p 2s\n"}
{"Action":"fail","Package":"p","Elapsed":2}
{"Action":"build-output","ImportPath":"q","Output":"q.go:1: no such thing\n"}
{"Action":"build-fail","ImportPath":"q"}
`
	var out strings.Builder
	r := &report{out: &out}
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	if want := "ok policy 1.6s\nit is broken\nFAIL p 2s\nq.go:1: no such thing\n"; out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
	if got, want := r.slowest(1), "the slowest tests\n    2.00 s  p TestBad\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := strings.Count(r.slowest(5), "\n"); got != 3 {
		t.Errorf("%d lines, want a head and both tests", got)
	}
}
