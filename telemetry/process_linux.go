package telemetry

import (
	"errors"
	"time"

	"github.com/prometheus/procfs"
)

// ticks is how often a second Linux counts CPU time, for every architecture that Go supports.
const ticks = 100

// readProcess asks /proc.
func readProcess() (processState, error) {
	self, err := procfs.Self()
	if err != nil {
		return processState{}, err
	}
	stat, err := self.Stat()
	descriptors, countErr := self.FileDescriptorsLen()
	if err := errors.Join(err, countErr); err != nil {
		return processState{}, err
	}
	return processState{
		user:        time.Duration(stat.UTime) * time.Second / ticks, //nolint:gosec // less than the time since the start
		system:      time.Duration(stat.STime) * time.Second / ticks, //nolint:gosec // likewise
		resident:    int64(stat.ResidentMemory()),
		threads:     int64(stat.NumThreads),
		descriptors: int64(descriptors),
	}, nil
}
