package istio

import (
	"time"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
)

// Parse reads a text as the file mesh.yaml of a workload.
func Parse(w Workload, text string) ([]policy.Layer, []policy.Note, error) {
	return Dir(".", w).Parse(appendFile(nil, "mesh.yaml", []byte(text)))
}

// Later lets a day pass for the files, so that they count as settled.
func (f *Files) Later() { f.now = func() time.Time { return time.Now().Add(24 * time.Hour) } }

// MatchesTemplate and Glob are what paths and IDs are matched by.
func MatchesTemplate(template, path string) bool { return matchesTemplate(template, path) }

// Glob matches a whole text.
func Glob(pattern, text string) bool { return glob(pattern, text) }

// UserRules reads the rules about users of such a text.
func UserRules(w Workload, text string) ([]auth.UserRule, error) {
	return Dir(".", w).UserRules(appendFile(nil, "mesh.yaml", []byte(text)))
}
