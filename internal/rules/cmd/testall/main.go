// Testall runs the tests of the root module and those of the nested modules of internal/modules.txt, shuffled and,
// where there is a C compiler, with the race detector. Modules whose tests wait in real time run beside the others. At
// the end it prints the slowest tests.
//
//	go run ./internal/rules/cmd/testall
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/parley-rpc/parley/internal/rules"
)

// slowest is how many tests are listed at the end.
const slowest = 20

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	content, err := os.ReadFile(rules.ModuleList)
	if err != nil {
		log.Fatal(err)
	}
	race := raceDetector(ctx)
	if race == nil {
		log.Print("No C compiler was found: the tests run without the race detector.")
	}
	r := &report{out: os.Stdout}
	var failed atomic.Bool
	run := func(dir string, flags []string) {
		if err := r.goTest(ctx, dir, flags); err != nil {
			log.Printf("%s: %v", dir, err)
			failed.Store(true)
		}
	}
	ordinary, beside := []string{"."}, []string{}
	for _, m := range rules.ParseModules(content) {
		switch m.Tests {
		case "race":
			ordinary = append(ordinary, m.Dir)
		case "beside", "plain":
			beside = append(beside, m.Dir)
		}
	}
	var both sync.WaitGroup
	both.Go(func() {
		for _, dir := range beside {
			run(dir, nil)
		}
	})
	for _, dir := range ordinary {
		run(dir, race)
	}
	both.Wait()
	fmt.Print(r.slowest(slowest))
	if failed.Load() {
		log.Fatal("some tests failed")
	}
}

// raceDetector is the flag for it, or nil where Go cannot use it.
func raceDetector(ctx context.Context) []string {
	enabled, err := exec.CommandContext(ctx, "go", "env", "CGO_ENABLED").Output()
	if err != nil || strings.TrimSpace(string(enabled)) != "1" {
		return nil
	}
	return []string{"-race"}
}
