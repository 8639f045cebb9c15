package telemetry

import (
	"errors"
	"time"

	"github.com/prometheus/procfs"
)

// ticks is the number of ticks per second in which Linux counts CPU time, on every architecture of Go.
const ticks = 100

// readProcess reads /proc.
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
