package safepath

import (
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Stamp identifies one state of a file or directory: every change of its content, mode, owner or names changes the
// stamp, because the change time is set by the kernel alone. The zero value is no file's stamp.
type Stamp struct {
	device, inode uint64
	mode, owner   uint32
	size          int64
	changed       time.Duration // since 1970
}

// StampOf returns the stamp of a file. It is zero where the system has none.
func StampOf(info fs.FileInfo) Stamp {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Stamp{}
	}
	return Stamp{
		device: uint64(stat.Dev), //nolint:unconvert // has 32 bits on MIPS
		inode:  stat.Ino, mode: stat.Mode, owner: stat.Uid, size: stat.Size,
		changed: time.Duration(stat.Ctim.Nano()),
	}
}

// Settled reports whether a file that has this stamp later is in the state that it had at now.
func (s Stamp) Settled(now time.Time) bool {
	return s != Stamp{} && time.Duration(now.UnixNano())-s.changed >= settling
}

// KeepsStamps reports whether an opened file lies on a file system whose change times are known to be kept.
func KeepsStamps(f *os.File) bool {
	stat, err := mountOf(f)
	if err != nil {
		return false
	}
	switch uint32(stat.Type) { //nolint:gosec // magic numbers have 32 bits; see statfs(2)
	case ext, xfs, btrfs, f2fs, zfs, bcachefs, tmpfs, ramfs, overlay, nfs:
		return true
	}
	return false
}

const (
	ext      = 0xef53
	xfs      = 0x58465342
	btrfs    = 0x9123683e
	f2fs     = 0xf2f52010
	zfs      = 0x2fc12fc1
	bcachefs = 0xca451a4e
	tmpfs    = 0x01021994
	ramfs    = 0x858458f6
	overlay  = 0x794c7630
	nfs      = 0x6969
)
