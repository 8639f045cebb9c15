package trustdir

import "time"

const (
	// rereadInterval is how often the directory is read again.
	rereadInterval = 2 * time.Second
	// rereadGap is the shortest time between two readings that unknown keys ask for.
	rereadGap = time.Second
	// maxStale is how long the last keys of a folder are used while it cannot be read.
	maxStale = time.Hour
	// maxHanging is how long one reading may take before the clock of the system decides about its age, which counts
	// the time that a machine sleeps.
	maxHanging = 10 * time.Second
	// maxFiles is how many files a directory may hold. Further ones are refused, by name.
	maxFiles = 20000
	// nearlyFull is the share of maxFiles, in percent, from which operators are warned.
	nearlyFull = 80
	// maxNamed is how many refused files are named; the others are counted.
	maxNamed = 20
	// maxFileSize is the size in bytes beyond which no key file is read.
	maxFileSize = 16 << 10
	// checkedFiles is how many known files one reading compares with their last state. In a larger directory they take
	// turns, so that a file that is changed in place is noticed after a few readings. New, removed and replaced files
	// are noticed at once.
	checkedFiles = 500
)
