// Bench measures what Parley costs against plain grpc-go, side by side in one run: client and server in one process over
// TLS on loopback, a unary call of 100 bytes, many callers. Absolute times depend on the machine and are not printed as
// results; ratios are.
//
//	go run . [-calls 20000] [-callers 32] [-rounds 7] [-only regexp] [-profile cpu|allocs]
//
// Each round gives every stack the same number of calls, in turns, so that a noisy machine is noisy for all. A ratio is
// taken within a round; the median of the rounds is printed, with the smallest and the largest. With -only the stacks
// whose names match take part, and the first of them is the base. A profile covers all that take part and is written to
// cpu.prof or allocs.prof.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
)

func main() {
	calls := flag.Int("calls", 20_000, "calls of each stack in a round")
	callers := flag.Int("callers", 32, "callers at a time")
	rounds := flag.Int("rounds", 7, "rounds")
	only := flag.String("only", "^(plain|Parley)", "measure, beside the base, the stacks whose names match this regular expression")
	kind := flag.String("profile", "", "write a profile: cpu or allocs")
	flag.Parse()
	err := profiled(*kind, func() error { return run(context.Background(), *only, *calls, *callers, *rounds) })
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
	for round := range rounds + 1 {
		for i, s := range stacks {
			c, err := measure(ctx, s, calls, callers)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 { // the first round warms up
				costs[i] = append(costs[i], c)
			}
		}
	}
	report(stacks, costs)
	return nil
}

// report prints each stack in proportion to the first.
func report(stacks []*stack, costs [][]cost) {
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 3, ' ', 0)
	defer func() { _ = w.Flush() }()
	fmt.Fprintln(w, "stack\tCPU\t(least..most)\tthroughput\t(least..most)\tallocations\t")
	for i, s := range stacks {
		cpu := ratios(costs[i], costs[0], func(c cost) float64 { return c.cpu })
		rate := ratios(costs[i], costs[0], func(c cost) float64 { return c.rate })
		var more []float64
		for round := range costs[i] {
			more = append(more, costs[i][round].allocs-costs[0][round].allocs)
		}
		slices.Sort(more)
		fmt.Fprintf(w, "%s\t%.2fx\t(%.2f..%.2f)\t%.2fx\t(%.2f..%.2f)\t%+.1f\t\n", s.name,
			median(cpu), cpu[0], cpu[len(cpu)-1], median(rate), rate[0], rate[len(rate)-1], median(more))
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

func median(sorted []float64) float64 { return sorted[len(sorted)/2] }
