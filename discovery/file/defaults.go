package file

import "time"

// Where an option does not say otherwise, these hold.
const (
	// How often the folder is looked at for changes.
	defaultInterval = 250 * time.Millisecond
	// The largest entry: an instance has 64 KiB at most.
	entryMost = 72 << 10
	// How long an entry that has run out, or one that was never finished, is left lying about.
	litterAge = time.Hour
)
