package safepath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tree is a file system that resolve walks through. An [os.Root] is one.
type tree interface {
	Lstat(name string) (fs.FileInfo, error)
	Readlink(name string) (string, error)
}

// host is the tree of the whole system, from its root.
type host struct{}

func (host) Lstat(name string) (fs.FileInfo, error) { return os.Lstat("/" + name) }
func (host) Readlink(name string) (string, error)   { return os.Readlink("/" + name) }

// Resolve checks the directories above a path of the system and returns it without symbolic links. The error is an
// [*Error].
func (g Guard) Resolve(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil || path == "" {
		return "", &Error{Path: strconv.Quote(path), Problem: "is no path", Err: err}
	}
	resolved, err := resolver{tree: host{}, top: "/", guard: g, open: true}.resolve(absolute)
	return filepath.Join("/", resolved), err
}

// ResolveIn is [Guard.Resolve] for a path below an opened directory, which its symbolic links must not leave. They must
// be relative. The result is relative to root, too.
func (g Guard) ResolveIn(root *os.Root, path string) (string, error) {
	return resolver{tree: root, top: root.Name(), guard: g}.resolve(path)
}

// resolver finds out where a path of a tree leads.
type resolver struct {
	tree  tree
	top   string // how the tree's root is called
	guard Guard
	open  bool // links may be absolute, and ".." stops at the top
}

// resolve returns path, relative to the top, without its symbolic links, and checks every directory on the way to its
// last element, and the owner of every link. Each check makes sure that no other user can change the next place;
// therefore it is enough to go by path here, and to check the last element once it is open.
func (r resolver) resolve(path string) (string, error) {
	rest, at, links := elements(path), []string{}, 0
	for len(rest) > 0 {
		var name string
		name, rest = rest[0], rest[1:]
		if name == ".." {
			if len(at) == 0 && !r.open {
				return "", r.escape(path)
			}
			at = at[:max(0, len(at)-1)]
			continue
		}
		here := filepath.Join(append(slices.Clip(at), name)...)
		info, err := r.tree.Lstat(here)
		if err != nil {
			return "", r.fail(here, err)
		}
		if info.Mode().Type() == fs.ModeSymlink {
			if links++; links > maxLinks {
				return "", &Error{Path: filepath.Join(r.top, path), Problem: "leads through too many symbolic links"}
			}
			target, err := r.follow(here, info)
			if err != nil {
				return "", err
			}
			if filepath.IsAbs(target) {
				if !r.open {
					return "", r.escape(path)
				}
				at = nil
			}
			rest = append(elements(target), rest...)
			continue
		}
		at = append(at, name)
		if len(rest) > 0 {
			if err := r.guard.Ancestor(filepath.Join(r.top, here), info, nil); err != nil {
				return "", err
			}
		}
	}
	return filepath.Join(append([]string{"."}, at...)...), nil
}

func (r resolver) follow(here string, info fs.FileInfo) (string, error) {
	if err := r.guard.link(filepath.Join(r.top, here), info); err != nil {
		return "", err
	}
	target, err := r.tree.Readlink(here)
	if err != nil {
		return "", r.fail(here, err)
	}
	return target, nil
}

func (r resolver) fail(here string, err error) error {
	failure := &Error{Path: filepath.Join(r.top, here), Problem: "cannot be read", Err: Cause(err)}
	if errors.Is(err, fs.ErrNotExist) {
		failure.Problem = "does not exist"
	}
	return failure
}

func (r resolver) escape(path string) error {
	return &Error{
		Path: filepath.Join(r.top, path), Problem: "is a symbolic link that leaves " + r.top,
		Remedy: "make it relative and let it stay inside",
	}
}

// elements splits a path, without "." and empty elements.
func elements(path string) []string {
	var list []string
	for name := range strings.SplitSeq(filepath.ToSlash(path), "/") {
		if name != "" && name != "." {
			list = append(list, name)
		}
	}
	return list
}
