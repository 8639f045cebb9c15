package rules

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// LinkedList names the modules that package framework links, each with its version and the reason for it.
const LinkedList = "internal/deps.txt"

// Linked is one module that the framework links.
type Linked struct {
	Path, Version, Reason string
}

// ParseLinked reads a list of linked modules.
func ParseLinked(content []byte) ([]Linked, error) {
	var modules []Linked
	for _, line := range contentLines(content) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return nil, fmt.Errorf("%s: %q is not a module, a version and a reason", LinkedList, line)
		}
		modules = append(modules, Linked{Path: fields[0], Version: fields[1], Reason: strings.Join(fields[2:], " ")})
	}
	return modules, nil
}

// FormatLinked writes the list of the modules that are linked now, with the reasons that were listed before.
func FormatLinked(listed, linked []Linked) []byte {
	reasons := map[string]string{}
	width := map[string]int{}
	for _, m := range listed {
		reasons[m.Path] = m.Reason
	}
	for _, m := range linked {
		width["path"], width["version"] = max(width["path"], len(m.Path)), max(width["version"], len(m.Version))
	}
	var out bytes.Buffer
	out.WriteString("# Modules that package framework links: path, version, reason. " +
		"\"make deps\" rewrites paths and versions; the\n" +
		"# reasons are written by people, and reviewed.\n")
	for _, m := range sorted(linked) {
		line := fmt.Sprintf("%-*s %-*s %s", width["path"], m.Path, width["version"], m.Version, reasons[m.Path])
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return out.Bytes()
}

// CompareLinked says how the list and what is linked differ, and which modules may never be linked.
func CompareLinked(listed, linked []Linked) []string {
	var wrong []string
	known := map[string]Linked{}
	for _, m := range listed {
		known[m.Path] = m
		if m.Reason == "" {
			wrong = append(
				wrong, fmt.Sprintf("%s: %s has no reason; write behind it why the framework needs it", LinkedList, m.Path),
			)
		}
	}
	for _, m := range sorted(linked) {
		listedAs, ok := known[m.Path]
		switch {
		case !ok:
			wrong = append(
				wrong,
				fmt.Sprintf(
					"framework links %s %s, which is not in %s; do without it, or run make deps and write the reason", m.Path,
					m.Version, LinkedList,
				),
			)
		case listedAs.Version != m.Version:
			wrong = append(
				wrong,
				fmt.Sprintf(
					"framework links %s %s, and %s has %s; read its changes and run make deps", m.Path, m.Version, LinkedList,
					listedAs.Version,
				),
			)
		}
		delete(known, m.Path)
		if why := heavy(m.Path); why != "" {
			wrong = append(wrong, fmt.Sprintf("framework links %s, %s; move what needs it into a nested module", m.Path, why))
		}
	}
	for _, path := range slices.Sorted(maps.Keys(known)) {
		wrong = append(wrong, fmt.Sprintf("%s has %s, which framework no longer links; run make deps", LinkedList, path))
	}
	return wrong
}

// Light lists packages that stand alone on plain gRPC and are about no tokens. They link no JOSE library, so that their
// users need not care about its advisories.
func Light() []string {
	return []string{"./principal", "./policy", "./attempt", "./rpcerr", "./interceptors/retry"}
}

// CheckLight says which modules a light package links and must not link.
func CheckLight(pkg string, linked []Linked) []string {
	var wrong []string
	for _, m := range linked {
		if under(m.Path, "github.com/lestrrat-go") {
			wrong = append(wrong, pkg+" links "+m.Path+"; read claims with internal/strictjson, "+
				"and leave internal/jose to interceptors/auth")
		}
	}
	return wrong
}

// heavy says why a module may never be linked by the framework, or "".
func heavy(path string) string {
	for prefix, why := range map[string]string{
		"cel.dev":                        "a CEL engine",
		"github.com/google/cel-go":       "a CEL engine",
		"buf.build/go/protovalidate":     "a CEL engine",
		"go.etcd.io":                     "an engine client",
		"github.com/hashicorp":           "an engine client",
		"k8s.io":                         "an engine client",
		"sigs.k8s.io":                    "an engine client",
		"github.com/envoyproxy":          "an engine client",
		"github.com/cncf":                "an engine client",
		"cloud.google.com":               "a cloud SDK",
		"golang.org/x/oauth2":            "a cloud SDK",
		"github.com/aws":                 "a cloud SDK",
		"github.com/Azure":               "a cloud SDK",
		"github.com/GoogleCloudPlatform": "a cloud SDK",
		"google.golang.org/api":          "a cloud SDK",
		"github.com/jackc/pgx":           "a database driver",
		"github.com/stretchr/testify":    "a test library",
	} {
		if under(path, prefix) {
			return why
		}
	}
	return ""
}

func sorted(modules []Linked) []Linked {
	return slices.SortedFunc(slices.Values(modules), func(a, b Linked) int { return cmp.Compare(a.Path, b.Path) })
}
