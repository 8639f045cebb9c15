package istio

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/parley-rpc/parley/policy"
)

var _ policy.LossyFiles = (*Files)(nil)

// Lost returns an error for each file that is missing, emptied or cut off since before, if policies went with it. A
// policy that now stands in another file is not lost. To take out the last policies of a file on purpose, leave a List
// without items in it, or restart the program.
func (f *Files) Lost(before, after []byte) error {
	former, err := filesOf(before)
	if err != nil {
		return err
	}
	present, err := filesOf(after)
	if err != nil {
		return err
	}
	known := sync.OnceValue(func() map[string]*yaml.Node {
		known := map[string]*yaml.Node{}
		for _, o := range f.objectsOf(present...).objects {
			known[o.subject()] = o.node
		}
		return known
	})
	byName := make(map[string]file, len(present))
	for _, p := range present {
		byName[p.name] = p
	}
	var errs []error
	for _, was := range former {
		is, there := byName[was.name]
		state := "missing"
		if there {
			state = "empty"
		}
		cut := isCut(was.data, is.data)
		if cut {
			state = "cut off"
		} else if hasObject(is.data) {
			continue
		}
		var lost []string
		for _, o := range f.objectsOf(was).objects {
			if n := known()[o.subject()]; n == nil || cut && !same(n, o.node) {
				lost = append(lost, o.subject())
			}
		}
		if len(lost) > 0 {
			errs = append(errs, fmt.Errorf("istio: %s: the file is %s, and no other file has %s; put it back, or restart to do "+
				"without, or first replace what goes by a List without items", was.name, state, strings.Join(lost, ", ")))
		}
	}
	return errors.Join(errs...)
}

// objectsOf reads files, whatever is wrong in them.
func (f *Files) objectsOf(files ...file) *reader {
	r := &reader{defaultNamespace: f.workload.DefaultNamespace}
	for _, file := range files {
		r.file(file)
	}
	return r
}

// same reports whether two nodes say the same, apart from comments and style.
func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value &&
		slices.EqualFunc(a.Content, b.Content, same)
}

// hasObject reports whether a file has a line with a key. Reading a whole mesh takes long, and most files have one.
func hasObject(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' && bytes.IndexByte(line, ':') >= 0 {
			return true
		}
	}
	return false
}

// isCut reports whether a file is the beginning of what it was. An empty file is none.
func isCut(before, after []byte) bool {
	before, after = bytes.TrimSpace(before), bytes.TrimSpace(after)
	return len(after) > 0 && len(after) < len(before) && bytes.HasPrefix(before, after)
}
