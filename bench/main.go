// Bench measures what Parley costs against plain grpc-go, side by side in one run: client and server in one process
// over TLS on loopback, a unary call of 100 bytes, many callers. Absolute times depend on the machine and are not
// printed as results; ratios are.
//
//	go run . [-calls 2000] [-callers 32] [-rounds 50] [-only regexp] [-pieces=false] [-profile cpu|allocs]
//
// Each round gives every stack the same number of calls, in turns, so that a noisy machine is noisy for all. A ratio is
// taken within a round; the median of the rounds is printed, with the quartiles. With -only the stacks whose names
// match take part, and the first of them is the base. A profile covers all that take part and is written to cpu.prof or
// allocs.prof. A second table has the pieces of Parley with goals of their own, from the benchmarks of their packages,
// which go test runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func main() {
	calls := flag.Int("calls", 2000, "calls of each stack in a round")
	callers := flag.Int("callers", 32, "callers at a time")
	rounds := flag.Int("rounds", 50, "rounds")
	only := flag.String(
		"only", "^(plain|Parley|chain)", "measure, beside the base, the stacks whose names match this regular expression",
	)
	pieces := flag.Bool("pieces", true, "measure the pieces that have goals of their own, too")
	kind := flag.String("profile", "", "write a profile: cpu or allocs")
	flag.Parse()
	err := profiled(*kind, func() error { return run(context.Background(), *only, *calls, *callers, *rounds) })
	if err == nil && *pieces {
		err = reportGoals(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, calls, callers, rounds int) error {
	stacks, err := openStacks(ctx, only)
	defer closeStacks(stacks)
	if err != nil {
		return err
	}
	costs := make([][]cost, len(stacks))
	stalls := 0
	for n := 0; n <= rounds; n++ {
		taken, err := round(ctx, stacks, calls, callers)
		switch {
		case status.Code(err) == codes.DeadlineExceeded && stalls < rounds:
			stalls++ // the machine stood still for longer than an attempt may take
			n--
		case err != nil:
			return err
		case n > 0: // the first round warms up
			for i, c := range taken {
				costs[i] = append(costs[i], c)
			}
		}
	}
	report(stacks, costs)
	return nil
}

// round measures every stack once.
func round(ctx context.Context, stacks []*stack, calls, callers int) ([]cost, error) {
	var taken []cost
	for _, s := range stacks {
		c, err := measure(ctx, s, calls, callers)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		taken = append(taken, c)
	}
	return taken, nil
}

// report prints each stack in proportion to the first.
func report(stacks []*stack, costs [][]cost) {
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 3, ' ', 0)
	defer func() { _ = w.Flush() }()
	fmt.Fprintln(w, "stack\tCPU\t(quartiles)\tthroughput\t(quartiles)\tallocations\tbytes\t")
	for i, s := range stacks {
		cpu := ratios(costs[i], costs[0], func(c cost) float64 { return c.cpu })
		rate := ratios(costs[i], costs[0], func(c cost) float64 { return c.rate })
		allocs := differences(costs[i], costs[0], func(c cost) float64 { return c.allocs })
		bytes := differences(costs[i], costs[0], func(c cost) float64 { return c.bytes })
		fmt.Fprintf(w, "%s\t%.2fx\t(%.2f..%.2f)\t%.2fx\t(%.2f..%.2f)\t%+.1f\t%+.0f\t\n", s.name,
			median(cpu), quartile(cpu, 1), quartile(cpu, 3), median(rate), quartile(rate, 1), quartile(rate, 3),
			median(allocs), median(bytes))
	}
}

// ratios are those of one figure, round by round, sorted.
func ratios(of, to []cost, figure func(cost) float64) []float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = figure(of[i]) / figure(to[i])
	}
	slices.Sort(all)
	return all
}

// differences are those of one figure, round by round, sorted.
func differences(of, to []cost, figure func(cost) float64) []float64 {
	all := make([]float64, len(of))
	for i := range of {
		all[i] = figure(of[i]) - figure(to[i])
	}
	slices.Sort(all)
	return all
}

func median(sorted []float64) float64 { return quartile(sorted, 2) }

func quartile(sorted []float64, n int) float64 { return sorted[(len(sorted)-1)*n/4] }
