//go:build unix

package descriptors

import "syscall"

// limit is the soft limit. The Go runtime raises it to the hard one at the start (since Go 1.19).
func limit() (uint64, bool) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, false
	}
	return uint64(l.Cur), true //nolint:unconvert // signed on some systems, where it is never negative
}
