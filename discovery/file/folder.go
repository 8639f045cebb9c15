package file

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/privatefile"
)

// names lists the files in the folder of a service. It returns none if the folder does not exist.
func names(root *os.Root, service string) ([]fs.DirEntry, error) {
	f, err := root.Open(service)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.ReadDir(-1)
}

// reader reads the entries of one service. It reads a file again only when the file has changed.
type reader struct {
	service string
	wall    func() time.Time // the clock of the system, which decides when entries expire
	known   map[string]known
}

// known is an entry that was read, or nil for an invalid file, with the metadata of the file at that time. Its end is
// computed when it is read. If the system clock is set forward, the entries must not all expire before their processes
// renew them.
type known struct {
	info  fs.FileInfo
	entry *entry
	ends  time.Time
}

// entries returns the live entries whose file names match, by ID. It leaves out unreadable files.
func (r *reader) entries(root *os.Root, match func(name string) bool) (map[string]*entry, error) {
	files, err := names(root, r.service)
	if err != nil {
		return nil, err
	}
	now, read := time.Now(), make(map[string]known, len(files))
	live := make(map[string]*entry, len(files))
	for _, file := range files {
		if !file.Type().IsRegular() || !isEntry(file.Name()) || !match(file.Name()) {
			continue
		}
		found := r.entry(root, file, read)
		if found.entry == nil || !now.Before(found.ends) {
			continue
		}
		e := found.entry
		if other, ok := live[e.instance.ID]; !ok || e.beats(other) {
			live[e.instance.ID] = e
		}
	}
	r.known = read
	return live, nil
}

// entry returns the entry in a file and stores it in read.
func (r *reader) entry(root *os.Root, file fs.DirEntry, read map[string]known) known {
	info, err := file.Info()
	if err != nil {
		return known{} // deleted since it was listed
	}
	before, ok := r.known[file.Name()]
	if !ok || !unchanged(before.info, info) {
		e, err := readEntry(root, path.Join(r.service, file.Name()))
		if err != nil || e.instance.Service != r.service {
			e = nil
		}
		before = known{info: info, entry: e}
		if e != nil {
			before.ends = time.Now().Add(e.Expires.Sub(r.wall()))
		}
	}
	read[file.Name()] = before
	return before
}

func unchanged(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}

// supersede removes the other entries with the ID of e, and old files of processes that died.
func supersede(root *os.Root, e *entry) error {
	service, id := e.instance.Service, e.instance.ID
	files, err := names(root, service)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		name := path.Join(service, file.Name())
		if name != e.path() && (rivals(root, name, id) || litter(root, name, file)) {
			if err := root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// rivals reports whether a file is an entry with the ID.
func rivals(root *os.Root, name, id string) bool {
	if !isEntry(name) || !strings.HasPrefix(path.Base(name), namePrefix(id)) {
		return false
	}
	e, err := readEntry(root, name)
	return err == nil && e.instance.ID == id
}

// litter reports whether a file is the old file of a process that died.
func litter(root *os.Root, name string, file fs.DirEntry) bool {
	info, err := file.Info()
	if err != nil || time.Since(info.ModTime()) < litterAge {
		return false
	}
	if strings.HasSuffix(name, privatefile.TemporarySuffix) {
		return true
	}
	if !isEntry(name) {
		return false // not ours
	}
	e, err := readEntry(root, name)
	return err == nil && time.Since(e.Expires) > litterAge
}
