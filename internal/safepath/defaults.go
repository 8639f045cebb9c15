package safepath

import "time"

const (
	// maxLinks is how many symbolic links one path may lead through.
	maxLinks = 16
	// settling is how old a change must be before the stamp of a file stands for one state. Some file systems count
	// time in steps of 2 seconds (FAT), in which several changes leave the same stamp.
	settling = 3 * time.Second
)
