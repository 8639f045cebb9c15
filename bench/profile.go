package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// profiled writes a profile of work, "cpu" or "allocs", to a file of that name. Without a kind it only works.
func profiled(kind string, work func() error) error {
	switch kind {
	case "":
		return work()
	case "cpu", "allocs":
	default:
		return fmt.Errorf("-profile=%s: there is no such profile; use cpu or allocs", kind)
	}
	file, err := os.Create(kind + ".prof") //nolint:gosec // kind is one of two words
	if err != nil {
		return err
	}
	if kind == "allocs" {
		runtime.MemProfileRate = 4096
		err = work()
		return errors.Join(err, pprof.Lookup(kind).WriteTo(file, 0), file.Close())
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = work()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}
