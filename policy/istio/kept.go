package istio

import (
	"io"
	"maps"
	"os"
	"time"

	"github.com/parley-rpc/parley/internal/safepath"
)

// seenFile is a file as the last look has seen it. As long as its stamp stays the same it need not be read again, if it
// was settled.
type seenFile struct {
	stamp   safepath.Stamp
	settled bool
	data    []byte
}

// seeAgain looks at a file that was seen before, or not.
func seeAgain(name string, before seenFile, now time.Time) (is seenFile, changed bool, err error) {
	if before.settled {
		info, err := os.Stat(name)
		if err == nil && safepath.StampOf(info) == before.stamp {
			return before, false, nil
		}
	}
	file, err := os.Open(name) //nolint:gosec // below the folder of policies
	if err != nil {
		return seenFile{}, false, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat() // before the content, so that a change in between changes the stamp
	if err != nil {
		return seenFile{}, false, err
	}
	is.stamp = safepath.StampOf(info)
	is.settled = is.stamp.Settled(now) && safepath.KeepsStamps(file)
	is.data, err = io.ReadAll(io.LimitReader(file, maxBytes+1))
	return is, true, err
}

// keptFile is a file in which there was no mistake, with what was read of it. It does not change.
type keptFile struct {
	data             string
	objects, skipped []*object
}

// keep notes what was read of files without a mistake, so that a file that does not change is read once.
func (f *Files) keep(files []file, r *reader) {
	kept := make(map[string]*keptFile, len(files))
	for _, file := range files {
		kept[file.name] = &keptFile{data: string(file.data)}
	}
	for _, o := range r.objects {
		kept[o.file].objects = append(kept[o.file].objects, o)
	}
	for _, o := range r.skipped {
		kept[o.file].skipped = append(kept[o.file].skipped, o)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept = kept
}

func (f *Files) keptFiles() map[string]*keptFile {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept
}

// take reads a file that was kept.
func (r *reader) take(kept *keptFile) {
	for _, o := range kept.objects {
		r.objects = append(r.objects, o.of(r))
	}
	for _, o := range kept.skipped {
		r.skipped = append(r.skipped, o.of(r))
	}
}

// of is the same object for another reader.
func (o *object) of(r *reader) *object {
	same := *o
	same.reader = r
	if o.authorization == nil {
		same.places = maps.Clone(o.places) // the spec will be read again, which notes its places
		return &same
	}
	policy := *o.authorization
	policy.object = &same
	same.authorization = &policy
	return &same
}
