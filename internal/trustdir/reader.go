package trustdir

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/parley-rpc/parley/internal/safepath"
)

const (
	trustFolder   = "trust"
	revokedFolder = "revoked"
)

// reader reads the directory. It remembers the files that it has read, by their stamps, so that an unchanged directory
// costs little. A reader belongs to one goroutine at a time.
type reader struct {
	dir     string
	guard   safepath.Guard
	validID func(string) error
	now     func() time.Time
	limit   int // of files below trust/

	trust    listed             // the names of trust domains
	domains  map[string]*folder // by trust domain
	revoked  listed
	revoking *revocations
	files    int // in all folders
	weight   int // of all folders; see file.weight

	began    time.Time // of the present reading
	dangling bool      // a link led nowhere in it
}

// listed is the state of a folder whose names are known.
type listed struct {
	stamp   safepath.Stamp
	settled bool // as long as the folder has this stamp, it has the same names
}

// reading is the outcome of one reading. Each of its parts counts by itself.
type reading struct {
	trustErr error // trust/ cannot be listed; the other members but revoked mean nothing then
	domains  map[string]domainReading
	strays   []Skipped // names in trust/ that are no trust domains
	files    int

	revoked    *revocations
	revokedErr error
}

// domainReading is the outcome for the folder of one trust domain. With an error, bindings holds what is known in spite
// of it, and is nil when that is nothing.
type domainReading struct {
	bindings *bindings
	err      error
}

// revocations are the names in revoked/. They never change.
type revocations struct {
	keys    map[string]bool // by thumbprint
	skipped []Skipped
}

// Skipped is a file of the directory that is not used.
type Skipped struct {
	// Path is the file.
	Path string
	// Err is the reason.
	Err error
}

// err joins the errors of all parts.
func (r *reading) err() error {
	errs := []error{r.trustErr}
	for _, domain := range slices.Sorted(maps.Keys(r.domains)) {
		errs = append(errs, r.domains[domain].err)
	}
	return errors.Join(append(errs, r.revokedErr)...)
}

// read lists the directory. The error is that of the directory itself; see [reading.err] for the errors of its parts.
func (r *reader) read() (*reading, error) {
	root, err := r.guard.Open(r.dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return r.readRoot(root), nil
}

func (r *reader) readRoot(root *os.Root) *reading {
	l := r.readOnce(root)
	if r.dangling {
		// A link leads nowhere for a moment when a ConfigMap is exchanged, which must not revoke the keys in it.
		l = r.readOnce(root)
	}
	return l
}

func (r *reader) readOnce(root *os.Root) *reading {
	r.began, r.dangling = r.now(), false
	l := &reading{}
	l.trustErr = r.readTrust(root, l)
	l.revoked, l.revokedErr = r.readRevoked(root)
	l.files = r.files
	return l
}

func (r *reader) readTrust(root *os.Root, l *reading) error {
	entered, err := r.enter(root, trustFolder)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = &safepath.Error{
				Path: filepath.Join(root.Name(), trustFolder), Problem: "does not exist",
				Remedy: "name the directory that has trust/ in it, or publish a first key", Err: err,
			}
		}
		return err
	}
	defer entered.close()
	names, err := entered.names()
	if err != nil {
		return err
	}
	moved := !entered.same(r.trust) // a folder may be another one under the same name, or lead to another one
	r.trust = entered.listed(r.began)
	l.domains = map[string]domainReading{}
	var folders []string
	for _, name := range names {
		if !isFolder(name.Name()) || !name.IsDir() && name.Type() != fs.ModeSymlink {
			err := errors.New("is no folder of a trust domain; remove it")
			l.strays = append(l.strays, skip(entered.path(name.Name()), err))
			continue
		}
		folders = append(folders, name.Name())
	}
	for domain := range r.domains {
		if _, there := slices.BinarySearch(folders, domain); !there {
			r.forget(domain)
		}
	}
	for _, domain := range folders {
		bindings, err := r.readDomain(root, domain, moved)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			r.forget(domain)
			r.dangling = true
			l.strays = append(l.strays, skip(entered.path(domain), err))
			continue
		}
		l.domains[domain] = domainReading{bindings, err}
	}
	return nil
}

func (r *reader) forget(domain string) {
	if f := r.domains[domain]; f != nil {
		r.count(f, -1)
		delete(r.domains, domain)
	}
}

func (r *reader) readRevoked(root *os.Root) (*revocations, error) {
	entered, err := r.enter(root, revokedFolder)
	if errors.Is(err, fs.ErrNotExist) {
		if _, gone := root.Lstat(revokedFolder); errors.Is(gone, fs.ErrNotExist) {
			if r.revoked = (listed{}); r.revoking == nil || len(r.revoking.keys)+len(r.revoking.skipped) > 0 {
				r.revoking = &revocations{}
			}
			return r.revoking, nil // nothing was ever revoked
		}
		return nil, err // a link that leads nowhere must not take revocations back
	}
	if err != nil {
		return nil, err
	}
	defer entered.close()
	if entered.same(r.revoked) {
		return r.revoking, nil
	}
	names, err := entered.names()
	if err != nil {
		return nil, err
	}
	found := &revocations{keys: make(map[string]bool, len(names))}
	for _, name := range names {
		if !isThumbprint(name.Name()) {
			err := errors.New(
				"is not called after a thumbprint, and so revokes nothing; call it as the key is called that it revokes",
			)
			found.skipped = append(found.skipped, skip(entered.path(name.Name()), err))
			continue
		}
		found.keys[name.Name()] = true
	}
	r.revoked, r.revoking = entered.listed(r.began), found
	return found, nil
}

// enteredFolder is a folder below the root, opened and checked.
type enteredFolder struct {
	root  *os.Root
	self  *os.File
	stamp safepath.Stamp
	at    string
}

// enter opens a folder below the root and checks it.
func (r *reader) enter(root *os.Root, folder string) (*enteredFolder, error) {
	resolved, err := r.guard.ResolveIn(root, folder)
	if err != nil {
		return nil, err
	}
	e := &enteredFolder{at: filepath.Join(root.Name(), folder)}
	if e.root, err = root.OpenRoot(resolved); err != nil {
		return nil, &safepath.Error{Path: e.at, Problem: "cannot be opened", Err: safepath.Cause(err)}
	}
	if err := e.check(r.guard); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *enteredFolder) check(guard safepath.Guard) error {
	var err error
	if e.self, err = e.root.Open("."); err != nil {
		return &safepath.Error{Path: e.at, Problem: "cannot be opened", Err: safepath.Cause(err)}
	}
	info, err := e.self.Stat()
	if err != nil {
		return &safepath.Error{Path: e.at, Problem: "cannot be read", Err: safepath.Cause(err)}
	}
	e.stamp = safepath.StampOf(info)
	return guard.Directory(e.at, info, e.self)
}

func (e *enteredFolder) close() {
	if e.self != nil {
		_ = e.self.Close()
	}
	_ = e.root.Close()
}

func (e *enteredFolder) path(name string) string { return path.Join(e.at, name) }

// same reports whether the folder has the names that were listed before.
func (e *enteredFolder) same(before listed) bool { return before.settled && before.stamp == e.stamp }

// listed is to be kept after names, for same.
func (e *enteredFolder) listed(now time.Time) listed {
	return listed{e.stamp, e.stamp.Settled(now) && safepath.KeepsStamps(e.self)}
}

// names lists the names that do not begin with a dot, in order. The others belong to other programs, such as
// half-written files and the versions of a ConfigMap.
func (e *enteredFolder) names() ([]fs.DirEntry, error) {
	var names []fs.DirEntry
	for {
		batch, err := e.self.ReadDir(1000)
		names = append(names, slices.DeleteFunc(batch, func(e fs.DirEntry) bool { return e.Name()[0] == '.' })...)
		switch {
		case errors.Is(err, io.EOF):
			slices.SortFunc(names, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
			return names, nil
		case err != nil:
			return nil, &safepath.Error{Path: e.at, Problem: "cannot be listed", Err: safepath.Cause(err)}
		}
	}
}

// skip names a file that is not used. An error that names a place, too, gives up its own.
func skip(at string, err error) Skipped {
	if place, ok := errors.AsType[*safepath.Error](err); ok {
		err = errors.New(strings.TrimPrefix(place.Error(), place.Path+": "))
	}
	return Skipped{Path: at, Err: err}
}
