//go:build unix

package safepath

import (
	"io/fs"
	"syscall"
)

const (
	// NonBlocking keeps an open from waiting for the other end of a pipe.
	NonBlocking = syscall.O_NONBLOCK
	// OpenFlags is NonBlocking, and refuses a symbolic link as the last element of the path.
	OpenFlags = NonBlocking | syscall.O_NOFOLLOW
)

func ownerOf(info fs.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
