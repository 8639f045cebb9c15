package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// goal is a bar that belongs to one piece of Parley. Its package has the benchmarks.
type goal struct {
	name    string
	bar     string
	reached func(figures) (said string, reached bool)
}

// figures are the medians of what benchmarks said, by name and unit.
type figures map[[2]string]float64

func (f figures) ratio(of, to string) float64 {
	return f[[2]string{of, "ns/op"}] / f[[2]string{to, "ns/op"}]
}

var goals = []goal{
	{"bearer token that the server knows", "at most 0.7 µs, 1 allocation", func(f figures) (string, bool) {
		micros, allocs := f[[2]string{"BenchmarkBearerToken/Known", "ns/op"}]/1000, f[[2]string{"BenchmarkBearerToken/Known", "allocs/op"}]
		return fmt.Sprintf("%.2f µs, %.0f", micros, allocs), micros <= 0.7 && allocs <= 1
	}},
	{"bearer token that it does not know (EdDSA), against the bare signature check", "at most 1.2x", func(f figures) (string, bool) {
		ratio := f.ratio("BenchmarkBearerToken/New", "BenchmarkBearerToken/BareSignature")
		return fmt.Sprintf("%.2fx", ratio), ratio <= 1.2
	}},
	{"handshake of connection mode, both ends, against TLS", "at most +0.4 ms CPU", func(f figures) (string, bool) {
		const unit = "cpu-µs/op"
		millis := (f[[2]string{"BenchmarkHandshake/Parley", unit}] - f[[2]string{"BenchmarkHandshake/TLS", unit}]) / 1000
		return fmt.Sprintf("%+.2f ms", millis), millis <= 0.4
	}},
}

// reportGoals runs the benchmarks and prints each bar with what was measured.
func reportGoals(ctx context.Context) error {
	measured, err := benchmark(ctx, "./interceptors/auth", "BenchmarkBearerToken|BenchmarkHandshake")
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\npiece\tgoal\tmeasured\treached\t")
	for _, g := range goals {
		said, reached := g.reached(measured)
		answer := "no"
		if reached {
			answer = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", g.name, g.bar, said, answer)
	}
	return w.Flush()
}

// benchmark runs benchmarks of a package of Parley several times.
func benchmark(ctx context.Context, dir, pattern string) (figures, error) {
	var out bytes.Buffer
	run := exec.CommandContext(ctx, "go", "-C", "..", "test", "-run=^$", "-bench="+pattern, "-benchtime=200ms", "-count=9", dir) //nolint:gosec // its arguments are those of goals
	run.Stdout, run.Stderr = &out, os.Stderr
	if err := run.Run(); err != nil {
		return nil, fmt.Errorf("benchmarks of %s: %w\n%s", dir, err, out.String())
	}
	return readFigures(&out)
}

// readFigures reads what go test -bench prints: a name with the number of processors, a count, and pairs of value and unit.
func readFigures(r io.Reader) (figures, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	all := map[[2]string][]float64{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "-")
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark %s: %w", name, err)
			}
			key := [2]string{name, fields[i+1]}
			all[key] = append(all[key], value)
		}
	}
	medians := figures{}
	for key, values := range all {
		slices.Sort(values)
		medians[key] = median(values)
	}
	return medians, nil
}
