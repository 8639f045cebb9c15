package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// errNo ends the program with status 1. What it means was printed.
var errNo = errors.New("no")

// streams are where a command reads and writes.
type streams struct{ out, err io.Writer }

// failed prints why there is no answer, and returns the exit status.
func (s streams) failed(err error) int {
	_, _ = fmt.Fprintln(s.err, "parley:", err) // there is no other place to say it
	return 2
}

// printJSON prints a value for --output json.
func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
