package trustdir

import (
	"os"
	"syscall"
)

func readOnlyMount(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	const readOnly = 1 // ST_RDONLY of statfs(2)
	var stat syscall.Statfs_t
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = syscall.Fstatfs(int(fd), &stat) }); err != nil || failed != nil {
		return false
	}
	return stat.Flags&readOnly != 0
}
