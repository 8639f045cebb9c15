package rules

import (
	"bytes"
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// LongLines lists how many lines of more than maxColumns each folder may have.
const LongLines = "internal/rules/longlines.txt"

// maxColumns is how wide a line may be; a tab is one column.
const maxColumns = 120

// checkLines refuses a further long line in a folder, and a list that allows more than there are.
func checkLines(t *Tree) []Finding {
	allowed, err := t.allowedLongLines()
	if err != nil {
		return []Finding{{
			Pos: token.Position{Filename: LongLines}, What: err.Error(),
			Remedy: "write lines of a folder and a number; go test ./internal/rules -update does",
		}}
	}
	const tooMany = "%s has %d lines of more than %d columns, and %s allows %d"
	var findings []Finding
	long := t.longLines()
	for _, dir := range slices.Sorted(maps.Keys(long)) {
		if n := len(long[dir]); n > allowed[dir] {
			findings = append(findings, Finding{
				Pos:    long[dir][n-1],
				What:   fmt.Sprintf(tooMany, dir, n, maxColumns, LongLines, allowed[dir]),
				Remedy: "break the line; the number may only fall",
			})
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(allowed)) {
		if n := len(long[dir]); n < allowed[dir] {
			findings = append(findings, Finding{
				Pos:    token.Position{Filename: LongLines},
				What:   fmt.Sprintf("%d long lines are allowed in %s, which has %d", allowed[dir], dir, n),
				Remedy: "run go test ./internal/rules -update, so that they stay away",
			})
		}
	}
	return findings
}

// LoweredLongLines is the list with each number lowered to what the tree has. It raises none.
func (t *Tree) LoweredLongLines() ([]byte, error) {
	allowed, err := t.allowedLongLines()
	if err != nil {
		return nil, err
	}
	long := t.longLines()
	var text bytes.Buffer
	fmt.Fprintf(&text, "# How many lines of more than %d columns each folder may have. A number may only fall;\n"+
		"# go test ./internal/rules -update lowers it.\n", maxColumns)
	for _, dir := range slices.Sorted(maps.Keys(allowed)) {
		if n := min(len(long[dir]), allowed[dir]); n > 0 {
			fmt.Fprintf(&text, "%s %d\n", dir, n)
		}
	}
	return text.Bytes(), nil
}

func (t *Tree) allowedLongLines() (map[string]int, error) {
	lines, err := t.lines(LongLines)
	if err != nil {
		return nil, err
	}
	allowed := map[string]int{}
	for _, line := range lines {
		dir, number, _ := strings.Cut(line, " ")
		if allowed[dir], err = strconv.Atoi(number); err != nil {
			return nil, fmt.Errorf("%q is no folder and number", line)
		}
	}
	return allowed, nil
}

// longLines are the lines of more than maxColumns of each folder.
func (t *Tree) longLines() map[string][]token.Position {
	long := map[string][]token.Position{}
	for _, f := range t.files {
		for _, line := range widerThan(maxColumns, f.source) {
			long[f.dir] = append(long[f.dir], token.Position{Filename: f.path, Line: line})
		}
	}
	return long
}

// widerThan lists the numbers of the lines that have more columns.
func widerThan(columns int, source []byte) []int {
	var long []int
	n := 0
	for line := range bytes.Lines(source) {
		n++
		if utf8.RuneCount(bytes.TrimRight(line, "\r\n")) > columns {
			long = append(long, n)
		}
	}
	return long
}
