package file

import "time"

const (
	// How often the folder is checked for changes.
	defaultInterval = 250 * time.Millisecond
	// The maximum size of an entry. The instance in it has at most 64 KiB.
	entryMost = 72 << 10
	// How long an expired or unfinished entry stays in the folder.
	litterAge = time.Hour
)
