package safepath

import (
	"errors"
	"os"
	"syscall"
)

func readOnlyMount(f *os.File) bool {
	const readOnly = 1 // ST_RDONLY of statfs(2)
	stat, err := mountOf(f)
	return err == nil && stat.Flags&readOnly != 0
}

func mountOf(f *os.File) (syscall.Statfs_t, error) {
	var stat syscall.Statfs_t
	conn, err := f.SyscallConn()
	if err != nil {
		return stat, err
	}
	var failed error
	err = conn.Control(func(fd uintptr) { failed = syscall.Fstatfs(int(fd), &stat) })
	return stat, errors.Join(err, failed)
}
