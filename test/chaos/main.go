// Command chaos runs a small fleet, real processes under load, and breaks it in every way that the documentation makes
// a promise about.
//
// Three replicas of payments and two callers run on loopback. Each caller asks for quotes, which may be repeated, makes
// charges, which must not, follows resumed streams, and tries refunds, which the configuration file forbids. The oracle
// is a ledger into which each replica writes its charges: a charge that stands there twice is double, and one that was
// answered and does not stand there is lost. The program prints what failed in each step, and exits with 1 when a
// promise is broken.
//
//	go run ./chaos           every step, four minutes
//	go run ./chaos -short    the steps that take little time, for continuous integration
//
// A caller or replica ends with its standard input, so that none outlives this program.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if role := os.Getenv(roleEnv); role != "" {
		return child(role, os.Getenv(nameEnv), os.Getenv(dirEnv), os.Getenv(fileEnv))
	}
	short := flag.Bool("short", false, "run the quick steps only")
	only := flag.String("steps", "", "run these steps only, separated by commas")
	list := flag.Bool("list", false, "print the steps")
	keep := flag.String("keep", "", "write the state, the ledger and the logs into this new folder, and keep it")
	flag.Parse()
	if *list {
		for _, s := range allSteps() {
			fmt.Printf("%-24s%s\n", s.name, s.about)
		}
		return nil
	}
	steps, err := choose(*only, *short)
	if err != nil {
		return err
	}
	dir := *keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "parley-chaos-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
	} else if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	return rehearse(dir, steps)
}

// choose returns the steps to run.
func choose(only string, short bool) ([]step, error) {
	all := allSteps()
	if only == "" {
		return slices.DeleteFunc(all, func(s step) bool { return short && !s.short }), nil
	}
	var chosen []step
	for name := range strings.SplitSeq(only, ",") {
		at := slices.IndexFunc(all, func(s step) bool { return s.name == name })
		if at < 0 {
			return nil, fmt.Errorf("there is no step %q; -list prints all names", name)
		}
		chosen = append(chosen, all[at])
	}
	return chosen, nil
}

// rehearse runs the steps and reports.
func rehearse(dir string, steps []step) error {
	f, err := newFleet(dir)
	if err != nil {
		return err
	}
	defer f.end()
	if err := f.start(); err != nil {
		return err
	}
	for i := range steps {
		if err := f.run(&steps[i]); err != nil {
			return fmt.Errorf("step %q: %w; the logs are in %s where -keep is given", steps[i].name, err, dir)
		}
	}
	if err := f.stopCallers(); err != nil {
		return err
	}
	results, err := readResults(dir)
	if err != nil {
		return err
	}
	charges, err := readLedger(dir)
	if err != nil {
		return err
	}
	return report(os.Stdout, steps, results, charges)
}
