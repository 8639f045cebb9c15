package trustdir

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/parley-rpc/parley/internal/safepath"
)

// folder is the reader's memory of the folder of one trust domain.
type folder struct {
	listed
	files    []*file // by name
	weight   int     // of all files
	next     int     // the index of the file whose turn it is to be checked
	refused  []string
	more     int // refused files that are not named
	bindings *bindings
}

// file is the reader's memory of one file.
type file struct {
	name string
	listed
	link  bool
	tried bool // it was read, and either entry or err came of it
	sum   [sha256.Size]byte
	entry Entry
	err   error
}

// weight says how much the check of an unchanged file costs, compared with a plain one: a link is followed and opened.
func (f *file) weight() int {
	if f.link {
		return linkWeight
	}
	return 1
}

const linkWeight = 10

// bindings are the keys in the folder of one trust domain. They never change.
type bindings struct {
	entries []Entry
	skipped []Skipped
}

// readDomain returns the keys of one trust domain. It is the same value as before as long as nothing changes. With
// moved, every file is checked.
func (r *reader) readDomain(root *os.Root, domain string, moved bool) (*bindings, error) {
	known := r.domains[domain]
	entered, err := r.enter(root, path.Join(trustFolder, domain))
	if err != nil {
		return nil, err
	}
	defer entered.close()
	if known == nil {
		known = &folder{}
		r.domains[domain] = known
	}
	changed, all := false, moved
	if !entered.same(known.listed) || len(known.refused) > 0 {
		names, err := entered.names()
		if err != nil {
			return known.bindings, err
		}
		changed = r.admit(known, names)
		known.listed, all = entered.listed(r.began), true
	}
	var errs []error
	for _, f := range known.due(r.share(known), all) {
		differs, err := r.check(root, entered, domain, f)
		changed = changed || differs
		errs = append(errs, err)
	}
	if changed || known.bindings == nil {
		known.bindings = known.collect(entered, r.full())
	}
	return known.bindings, errors.Join(errs...)
}

// admit notes which files are there. Files that are new are refused when the directory is full.
func (r *reader) admit(known *folder, names []fs.DirEntry) (changed bool) {
	r.count(known, -1)
	before, refused := known.files, known.refused
	room := r.limit - r.files - known.present(names)
	known.files, known.refused, known.more, known.weight = make([]*file, 0, len(names)), nil, 0, 0
	for _, name := range names {
		f := find(before, name.Name())
		switch {
		case f == nil && room <= 0:
			known.refuse(name.Name())
			continue
		case f == nil:
			room--
			f, changed = &file{name: name.Name()}, true
		}
		f.link = name.Type() == fs.ModeSymlink
		known.files = append(known.files, f)
		known.weight += f.weight()
	}
	r.count(known, 1)
	return changed || len(known.files) != len(before) || !slices.Equal(known.refused, refused)
}

// present counts the names of known files.
func (f *folder) present(names []fs.DirEntry) int {
	n := 0
	for _, name := range names {
		if find(f.files, name.Name()) != nil {
			n++
		}
	}
	return n
}

func find(files []*file, name string) *file {
	at, found := slices.BinarySearchFunc(files, name, func(f *file, name string) int {
		return strings.Compare(f.name, name)
	})
	if !found {
		return nil
	}
	return files[at]
}

// refuse notes a file for which there is no room.
func (f *folder) refuse(name string) {
	if len(f.refused) == maxNamed {
		f.more++
		return
	}
	f.refused = append(f.refused, name)
}

// count adds a folder to the sums of all folders, or takes it off.
func (r *reader) count(f *folder, sign int) {
	r.files += sign * len(f.files)
	r.weight += sign * f.weight
}

// share is the weight of the files that one reading checks in a folder, of the files whose turn it is.
func (r *reader) share(f *folder) int {
	return checkedFiles*f.weight/max(r.weight, checkedFiles) + linkWeight
}

// due lists the files to check: all, or the ones that are not settled and the ones whose turn it is.
func (f *folder) due(share int, all bool) []*file {
	if all {
		return f.files
	}
	var due []*file
	for _, at := range f.files {
		if !at.settled {
			due = append(due, at)
		}
	}
	for range f.files {
		at := f.files[f.next%len(f.files)]
		if share -= at.weight(); share < 0 {
			break
		}
		if at.settled {
			due = append(due, at)
		}
		f.next = (f.next + 1) % len(f.files)
	}
	return due
}

// check reads a file unless it is unchanged, and reports whether it differs from before. The error says that the file
// could not be read, and what is known of it stays.
func (r *reader) check(root *os.Root, in *enteredFolder, domain string, f *file) (bool, error) {
	if !strings.HasSuffix(f.name, suffix) {
		f.settled = true
		return f.become(Entry{}, errNotCalled), nil
	}
	if f.settled && !f.link {
		if info, err := in.root.Lstat(f.name); err == nil && safepath.StampOf(info) == f.stamp {
			return false, nil
		}
	}
	text, unchanged, err := r.text(root, in, domain, f)
	switch {
	case unchanged:
		return false, nil
	case errors.Is(err, fs.ErrNotExist) && !f.link: // deleted since it was listed
		return f.forget(), nil
	case ofSystem(err):
		f.settled = false
		return false, fmt.Errorf("%s: %w", in.path(f.name), err)
	case err != nil:
		f.settled = false
		r.dangling = r.dangling || errors.Is(err, fs.ErrNotExist)
		return f.become(Entry{}, err), nil
	}
	sum := sha256.Sum256(text)
	if f.tried && f.err == nil && f.sum == sum {
		return false, nil
	}
	f.sum = sum
	return f.become(parseEntry(domain, f.name, text, r.validID)), nil
}

var errNotCalled = errors.New("is not called <name>.<thumbprint>.json; publish the key anew, and remove it")

// become notes the result of a reading, and reports whether it differs from the one before.
func (f *file) become(entry Entry, err error) bool {
	same := f.tried && entry == f.entry && sameText(err, f.err)
	f.tried, f.entry, f.err = true, entry, err
	return !same
}

func (f *file) forget() bool {
	differs := f.tried
	*f = file{name: f.name}
	return differs
}

func sameText(a, b error) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error()
}

// ofSystem reports whether an error is one of the system and not of the file, such as a lack of file descriptors. Then
// the file does not count as changed.
func ofSystem(err error) bool {
	errno, ok := errors.AsType[syscall.Errno](err)
	if !ok || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	ofFile := errno == syscall.ELOOP || errno == syscall.ENXIO || errno == syscall.ENOTDIR
	return !ofFile && !errors.Is(err, fs.ErrPermission)
}

// text reads a file, once it is open and checked, unless its stamp is still the same.
func (r *reader) text(
	root *os.Root, folder *enteredFolder, domain string, known *file,
) (text []byte, unchanged bool, err error) {
	in, at := folder.root, known.name
	if known.link {
		in = root
		if at, err = r.guard.ResolveIn(root, path.Join(trustFolder, domain, known.name)); err != nil {
			return nil, false, err
		}
	}
	f, err := in.OpenFile(at, os.O_RDONLY|safepath.OpenFlags, 0)
	if err != nil {
		return nil, false, safepath.Cause(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, false, safepath.Cause(err)
	}
	stamp := safepath.StampOf(info)
	if known.settled && stamp == known.stamp {
		return nil, true, nil
	}
	if err := r.guard.File(folder.path(known.name), info, f); err != nil {
		return nil, false, err
	}
	text, err = safepath.ReadAll(f, maxFileSize)
	if err != nil {
		return nil, false, err
	}
	known.listed = listed{stamp, stamp.Settled(r.began) && safepath.KeepsStamps(f)}
	return text, false, nil
}

// collect makes the bindings of all files.
func (f *folder) collect(in *enteredFolder, full error) *bindings {
	b := &bindings{entries: make([]Entry, 0, len(f.files))}
	for _, at := range f.files {
		switch {
		case at.err != nil:
			b.skipped = append(b.skipped, skip(in.path(at.name), at.err))
		case at.tried:
			b.entries = append(b.entries, at.entry)
		}
	}
	for _, name := range f.refused {
		b.skipped = append(b.skipped, skip(in.path(name), full))
	}
	if f.more > 0 {
		b.skipped = append(b.skipped, skip(in.at, fmt.Errorf("%d more files: %w", f.more, full)))
	}
	return b
}

func (r *reader) full() error {
	return fmt.Errorf("the directory already holds %d files; remove keys that are no longer used", r.limit)
}
