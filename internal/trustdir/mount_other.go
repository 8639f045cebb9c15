//go:build !linux

package trustdir

import "os"

// readOnlyMount knows no mounts; the strict rule holds everywhere.
func readOnlyMount(*os.File) bool { return false }
