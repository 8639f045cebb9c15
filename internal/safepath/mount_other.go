//go:build !linux

package safepath

import "os"

// readOnlyMount knows no mounts; the strict rule holds everywhere.
func readOnlyMount(*os.File) bool { return false }
