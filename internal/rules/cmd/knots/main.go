// Knots prints, for each package of the module in the working directory, its files, the largest circle of files that
// use each other, and the references between files that run upward. Arguments are package patterns; the default is
// ./... . With -v it names the files of each circle and what the references upward are.
//
//	go run ./internal/rules/cmd/knots ./interceptors/...
package main

import (
	"flag"
	"log"
	"os"
	"strings"

	"github.com/parley-rpc/parley/internal/rules/knots"
)

func main() {
	log.SetFlags(0)
	verbose := flag.Bool("v", false, "name the files of each circle, and what runs upward")
	flag.Parse()
	patterns := flag.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	packages, err := knots.Load(".", patterns...)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.WriteString(knots.Table(packages)); err != nil {
		log.Fatal(err)
	}
	if !*verbose {
		return
	}
	for _, p := range packages {
		if len(p.Cycle) > 0 {
			log.Printf("%s: %s", p.Path, strings.Join(p.Cycle, " "))
		}
		for _, a := range p.Arrows {
			log.Printf("%s: %s names of %s: %s", p.Path, a.From, a.To, strings.Join(a.Names, ", "))
		}
	}
}
