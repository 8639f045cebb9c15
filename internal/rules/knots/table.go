package knots

import (
	"fmt"
	"strconv"
	"strings"
)

// Table is a Markdown table of the packages in which two files or more use each other.
func Table(packages []Package) string {
	var text strings.Builder
	text.WriteString("| package | files | largest cycle | upward |\n|---|---|---|---|\n")
	for _, p := range packages {
		if len(p.Cycle) > 0 {
			fmt.Fprintf(&text, "| %s | %d | %d | %d %% |\n", p.Path, p.Files, len(p.Cycle), percent(p.Upward, p.References))
		}
	}
	return text.String()
}

func percent(part, whole int) int { return (100*part + whole - 1) / whole }

// Grown says which packages have a larger cycle than an earlier table has. A package that the table does not name may
// have one of half of its files.
func Grown(table string, packages []Package) []string {
	limits := map[string]int{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		if len(cells) != 4 {
			continue
		}
		if n, err := strconv.Atoi(cells[2]); err == nil {
			limits[strings.TrimPrefix(cells[0], "| ")] = n
		}
	}
	var grown []string
	for _, p := range packages {
		limit, known := limits[p.Path]
		if !known {
			limit = max(2, p.Files/2)
		}
		if len(p.Cycle) > limit {
			grown = append(grown, fmt.Sprintf(
				"%s: %d files use each other in a circle, and at most %d may: %s; "+
					"let no lower file name what a higher one declares",
				p.Path, len(p.Cycle), limit, strings.Join(p.Cycle, " "),
			))
		}
	}
	return grown
}
