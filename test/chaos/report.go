package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// counts are the results of the calls that began in one step.
type counts struct {
	calls   int
	failed  map[string][]result // by kind; of refunds, all that did not pass
	passed  map[string][]result // by kind
	double  []result
	lost    []result
	slowest time.Duration
}

func count(s step, results []result, charges map[string]int) counts {
	c := counts{failed: map[string][]result{}, passed: map[string][]result{}}
	for _, r := range results {
		if r.begun.Before(s.began) || !r.begun.Before(s.ended) {
			continue
		}
		c.calls++
		c.slowest = max(c.slowest, r.took)
		if r.failed() {
			c.failed[r.kind] = append(c.failed[r.kind], r)
		} else {
			c.passed[r.kind] = append(c.passed[r.kind], r)
		}
		if r.kind != charge {
			continue
		}
		if n := charges[r.id]; n > 1 {
			c.double = append(c.double, r)
		} else if n == 0 && !r.failed() {
			c.lost = append(c.lost, r)
		}
	}
	return c
}

// broken lists the promises of a step that its results break.
func (c counts) broken(s step) []error {
	var errs []error
	none := func(what string, found []result) {
		if len(found) == 0 {
			return
		}
		slices.SortFunc(found, func(a, b result) int { return a.begun.Compare(b.begun) })
		text := fmt.Sprintf("step %q: %d %s, where 0 are promised", s.name, len(found), what)
		for _, r := range found[:min(3, len(found))] {
			text += fmt.Sprintf("\n    %s %s, begun after %.3f s, ended after %v: %s %s",
				r.kind, r.id, r.begun.Sub(s.began).Seconds(), r.took.Round(time.Millisecond), r.code, r.text)
		}
		errs = append(errs, errors.New(text))
	}
	late := func(found []result, after time.Duration) []result {
		return slices.DeleteFunc(slices.Clone(found), func(r result) bool { return r.begun.Sub(s.began) < after })
	}
	none("double charges", c.double)
	none("lost charges", c.lost)
	if s.passNone {
		for _, kind := range []string{quote, charge} {
			none(kind+"s that passed", late(c.passed[kind], s.settles))
		}
	}
	none("streams out of sequence", slices.DeleteFunc(slices.Clone(c.failed[watch]), func(r result) bool {
		return r.code != outOfSequence
	}))
	if s.streams {
		none("failed streams", c.failed[watch])
	}
	none("refunds that passed although they are forbidden", c.passed[refund])
	if s.quotes {
		none("failed quotes", c.failed[quote])
	}
	if s.charges {
		none("failed charges", late(c.failed[charge], s.settles))
	}
	return errs
}

// report prints a line for each step, and returns every broken promise.
func report(w io.Writer, steps []step, results []result, charges map[string]int) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "step\tseconds\tcalls\tquotes failed\tcharges failed\tdouble\tlost\t"+
		"streams failed\tforbidden passed\tslowest\tpromise")
	var errs []error
	for _, s := range steps {
		c := count(s, results, charges)
		broken := c.broken(s)
		if s.err != nil {
			broken = append(broken, fmt.Errorf("step %q: %w", s.name, s.err))
		}
		verdict := "kept"
		if len(broken) > 0 {
			verdict = "BROKEN"
		}
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%d\t%s\t%s\t%d\t%d\t%s\t%d\t%v\t%s\n",
			s.name, s.ended.Sub(s.began).Seconds(), c.calls,
			promised(len(c.failed[quote]), s.quotes), promised(len(c.failed[charge]), s.charges && s.settles == 0),
			len(c.double), len(c.lost), promised(len(c.failed[watch]), s.streams), len(c.passed[refund]),
			c.slowest.Round(time.Millisecond), verdict)
		errs = append(errs, broken...)
	}
	errs = append(errs, table.Flush())
	if len(results) == 0 {
		errs = append(errs, errors.New("the callers have written no results"))
	}
	return errors.Join(errs...)
}

func promised(n int, zero bool) string {
	if zero {
		return fmt.Sprintf("%d of 0", n)
	}
	return fmt.Sprint(n)
}
