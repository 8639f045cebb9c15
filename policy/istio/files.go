package istio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parley-rpc/parley/policy"
)

// Files are the files of a mesh, for one workload. Make them with [Dir]. They are safe for concurrent use.
type Files struct {
	path     string
	workload Workload
	compat   string // where Istio's default is taken, "" where the program's code says so
	now      func() time.Time

	mu      sync.Mutex
	users   *readUsers           // of the content that was parsed last
	kept    map[string]*keptFile // of the last content without a mistake
	seen    map[string]seenFile  // by the last look
	content []byte               // of all of these
}

var _ policy.Files = (*Files)(nil)

// Dir returns the policies of a mesh that lie in a folder, or in one file, for a workload. Nothing is read yet, and
// mistakes in the workload are reported by [Files.Read].
func Dir(path string, w Workload) *Files {
	return &Files{path: path, workload: w.withDefaults(), now: time.Now}
}

// For returns [Dir] of one workload, for a program that lets its configuration name the folder:
//
//	framework.WithPolicyFormat("istio", istio.For(workload))
func For(w Workload) func(path string) policy.Files {
	return func(path string) policy.Files { return Dir(path, w) }
}

// Compat returns the same files, with Workload.AllowByDefault. Place is where that is stated.
func (f *Files) Compat(place string) policy.Files {
	c := Dir(f.path, f.workload)
	c.workload.AllowByDefault, c.compat = true, place
	return c
}

// String is "istio /etc/mesh for shop app=orders", and with Istio's default ", open where nothing decides" behind it.
func (f *Files) String() string {
	text := "istio " + f.path + " for " + f.workload.String()
	if f.workload.AllowByDefault {
		text += ", open where nothing decides"
	}
	return text
}

// Read returns the content of all the files with their names, in the order of the names. It must not be changed. A file
// that has not changed for some seconds is not read again until it does.
func (f *Files) Read() ([]byte, error) {
	if err := f.workload.check(); err != nil {
		return nil, err
	}
	names, err := f.names()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now, size, changed := f.now(), 0, len(names) != len(f.seen)
	seen := make(map[string]seenFile, len(names))
	for _, name := range names {
		is, read, err := seeAgain(name, f.seen[name], now)
		if err != nil {
			return nil, fmt.Errorf("istio: %w", err)
		}
		if size += len(is.data); size > maxBytes {
			return nil, fmt.Errorf("istio: %s: the files have more than %d bytes; keep what is no policy elsewhere",
				f.path, maxBytes)
		}
		seen[name], changed = is, changed || read
	}
	if !changed {
		return f.content, nil
	}
	f.seen, f.content = seen, nil
	for _, name := range names {
		f.content = appendFile(f.content, name, seen[name].data)
	}
	return f.content, nil
}

// names lists the files, sorted.
func (f *Files) names() ([]string, error) {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("istio: %w; put the files there, or correct the path", err)
	case err != nil:
		return nil, fmt.Errorf("istio: %w", err)
	case !info.IsDir():
		return []string{f.path}, nil
	}
	var names []string
	folder, err := filepath.EvalSymlinks(f.path) // because WalkDir does not follow a link
	if err != nil {
		return nil, fmt.Errorf("istio: %w", err)
	}
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != folder && isHidden(entry.Name()):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			if err := refuseFolder(path); err != nil {
				return err
			}
		}
		if !hasPolicies(entry.Name()) {
			return nil
		}
		if len(names) == maxFiles {
			return fmt.Errorf("%s: the folder holds more than %d files; keep what is no policy elsewhere", f.path, maxFiles)
		}
		names = append(names, filepath.Join(f.path, strings.TrimPrefix(path, folder)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("istio: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("istio: %s: there is no file that ends in .yaml, .yml or .json, and an emptied folder must "+
			"not pass for a mesh without policies; put the files there, or correct the path", f.path)
	}
	slices.Sort(names)
	return names, nil
}

// isHidden reports whether a file or folder is not read: a mounted ConfigMap keeps its generations in folders whose
// names begin with "..", and shows the current one by links; git keeps its own files in .git. Other names that begin
// with a dot are read, as kubectl reads them.
func isHidden(name string) bool { return strings.HasPrefix(name, "..") || name == ".git" }

// refuseFolder refuses a link to a folder, which would not be walked.
func refuseFolder(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: this is a link to a folder, which is not followed; put the folder here", path)
	}
	return err
}

// hasPolicies reports whether a file of that name is read.
func hasPolicies(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(name)))
}

// file is one file of a content.
type file struct {
	name string
	data []byte
}

// appendFile adds a file to a content. Lengths stand before the parts, so that no two lists of files look alike.
func appendFile(content []byte, name string, data []byte) []byte {
	content = binary.AppendUvarint(content, uint64(len(name)))
	content = append(content, name...)
	content = binary.AppendUvarint(content, uint64(len(data)))
	return append(content, data...)
}

// filesOf takes a content apart.
func filesOf(content []byte) ([]file, error) {
	var files []file
	next := func() ([]byte, bool) {
		n, size := binary.Uvarint(content)
		if size <= 0 || n > uint64(len(content)-size) { //nolint:gosec // size is at most the length
			return nil, false
		}
		part := content[size : size+int(n)] //nolint:gosec // at most len(content)
		content = content[size+int(n):]     //nolint:gosec // as above
		return part, true
	}
	for len(content) > 0 {
		name, ok := next()
		if !ok {
			return nil, errors.New("istio: the content is not what Read returned")
		}
		data, ok := next()
		if !ok {
			return nil, errors.New("istio: the content is not what Read returned")
		}
		files = append(files, file{string(name), data})
	}
	return files, nil
}
