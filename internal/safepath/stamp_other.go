//go:build !linux

package safepath

import (
	"io/fs"
	"os"
	"time"
)

// Stamp identifies one state of a file or directory. On this system there are none: every file counts as changed.
type Stamp struct{}

// StampOf returns the stamp of a file. It is zero where the system has none.
func StampOf(fs.FileInfo) Stamp { return Stamp{} }

// Settled reports whether a file that has this stamp later is in the state that it had at now.
func (Stamp) Settled(time.Time) bool { return false }

// KeepsStamps reports whether an opened file lies on a file system whose change times are known to be kept.
func KeepsStamps(*os.File) bool { return false }
