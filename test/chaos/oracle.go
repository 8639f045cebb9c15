package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// result is the end of one call, as its caller saw it. A stream counts from its end, because it outlasts steps.
type result struct {
	kind, id string
	begun    time.Time
	took     time.Duration
	code     string
	text     string
}

// String is a line of a results file.
func (r result) String() string {
	return fmt.Sprintf("%d %d %s %s %s %s", r.begun.UnixNano(), r.took, r.kind, r.id, r.code, r.text)
}

// outOfSequence is the code of a stream with missing or repeated messages.
const outOfSequence = "OutOfSequence"

func (r result) failed() bool { return r.code != "OK" }

func parseResult(line string) (result, error) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 6 {
		return result{}, fmt.Errorf("%q is no result", line)
	}
	begun, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return result{}, err
	}
	took, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return result{}, err
	}
	return result{
		begun: time.Unix(0, begun), took: time.Duration(took),
		kind: fields[2], id: fields[3], code: fields[4], text: fields[5],
	}, nil
}

// readResults reads the results of all callers.
func readResults(dir string) ([]result, error) {
	var all []result
	err := eachLine(filepath.Join(dir, "results"), func(line string) error {
		r, err := parseResult(line)
		all = append(all, r)
		return err
	})
	return all, err
}

// readLedger counts the charges of each order in all ledgers.
func readLedger(dir string) (map[string]int, error) {
	charges := map[string]int{}
	err := eachLine(filepath.Join(dir, "ledger"), func(line string) error {
		charges[line]++
		return nil
	})
	return charges, err
}

func eachLine(folder string, do func(string) error) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		f, err := os.Open(filepath.Join(folder, file.Name())) //nolint:gosec // in a folder of its own
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if err := do(lines.Text()); err != nil {
				return err
			}
		}
		_ = f.Close()
		if err := lines.Err(); err != nil {
			return err
		}
	}
	return nil
}
