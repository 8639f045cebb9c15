package file

import "time"

const (
	// How often the folder is checked for changes.
	defaultInterval = 250 * time.Millisecond
	// The largest entry: an instance has 64 KiB at most.
	entryMost = 72 << 10
	// How long an expired or unfinished entry stays in the folder.
	litterAge = time.Hour
)
