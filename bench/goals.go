package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// goal is a bar that belongs to one piece of Parley. Its package has the benchmarks.
type goal struct {
	name   string
	most   float64
	format string
	of     func(figures) float64
}

// figures are what one round of benchmarks said, by name and unit.
type figures map[[2]string]float64

const (
	perOp  = "ns/op"
	cpuTo  = "cpu-µs/op"
	allocs = "allocs/op"

	goalRounds = 20
)

func goals() []goal {
	return []goal{
		{"bearer token that the server knows", 0.7, "%.2f µs", func(f figures) float64 {
			return f[[2]string{"BenchmarkBearerToken/Known", perOp}] / 1000
		}},
		{"the same, allocations", 1, "%.0f", func(f figures) float64 {
			return f[[2]string{"BenchmarkBearerToken/Known", allocs}]
		}},
		{"EdDSA token that it does not know, against the bare signature check", 1.2, "%.2fx", func(f figures) float64 {
			return f[[2]string{"BenchmarkBearerToken/New", perOp}] / f[[2]string{"BenchmarkBearerToken/BareSignature", perOp}]
		}},
		{"CPU of a handshake of connection mode, both ends, against TLS", 0.4, "%+.2f ms", func(f figures) float64 {
			return (f[[2]string{"BenchmarkHandshake/Parley", cpuTo}] - f[[2]string{"BenchmarkHandshake/TLS", cpuTo}]) / 1000
		}},
	}
}

// reportGoals runs the benchmarks of package auth in rounds, and prints each bar with the median of the rounds.
func reportGoals(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "parley-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "auth.test")
	if out, err := exec.CommandContext( //nolint:gosec // a path made here
		ctx, "go", "-C", "..", "test", "-c", "-o", program, "./interceptors/auth",
	).CombinedOutput(); err != nil {
		return fmt.Errorf("tests of package auth: %w\n%s", err, out)
	}
	var rounds []figures
	for range goalRounds {
		round, err := benchmark(ctx, program)
		if err != nil {
			return err
		}
		rounds = append(rounds, round)
	}
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 3, ' ', 0)
	fmt.Fprintln(w, "\npiece\tat most\tmeasured\t(quartiles)\treached\t")
	for _, g := range goals() {
		all := make([]float64, len(rounds))
		for i, round := range rounds {
			all[i] = g.of(round)
		}
		slices.Sort(all)
		reached := "no"
		if median(all) <= g.most {
			reached = "yes"
		}
		fmt.Fprintf(w, "%s\t"+g.format+"\t"+g.format+"\t("+g.format+".."+g.format+")\t%s\t\n",
			g.name, g.most, median(all), quartile(all, 1), quartile(all, 3), reached)
	}
	return w.Flush()
}

// benchmark runs each benchmark that a goal needs for a short time.
func benchmark(ctx context.Context, program string) (figures, error) {
	run := exec.CommandContext(ctx, program, "-test.run=^$", "-test.benchtime=50ms",
		"-test.bench=^Benchmark(BearerToken|Handshake)$/^(Known|New|BareSignature|TLS|Parley)$")
	run.Dir = filepath.Join("..", "interceptors", "auth")
	out, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("benchmarks of package auth: %w\n%s", err, out)
	}
	return readFigures(out)
}

// readFigures reads what benchmarks print: a name with the number of processors, a count, and pairs of value and unit.
func readFigures(out []byte) (figures, error) {
	read := figures{}
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(fields[0], "-")
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark %s: %w", name, err)
			}
			read[[2]string{name, fields[i+1]}] = value
		}
	}
	return read, nil
}
