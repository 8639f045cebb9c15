package trustdir

import "time"

const (
	// rereadInterval is how often the directory is read again.
	rereadInterval = 2 * time.Second
	// rereadGap is how long after one reading that an unknown key asked for another may be asked for.
	rereadGap = time.Second
	// maxStale is how long the last set of keys is used while the directory cannot be read.
	maxStale = time.Hour
	// maxFiles is how many keys a directory may hold, and how many revocations.
	maxFiles = 1000
	// maxFileSize is the size in bytes beyond which no key file is read.
	maxFileSize = 16 << 10
	// maxLinks is how many symbolic links one path may lead through.
	maxLinks = 16
)
