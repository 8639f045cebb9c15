package admin

import "time"

const (
	// defaultListed is how many calls /calls lists by default.
	defaultListed = 100
	// streamInterval is how long a live page waits at least between two updates.
	streamInterval = 200 * time.Millisecond
	// streamBatch is how many calls one update of a live page holds at most.
	streamBatch = 200
	// trafficInterval is how often the counts of calls are read for the live page.
	trafficInterval = 10 * time.Second
	// trafficPoints is how many intervals the live page shows.
	trafficPoints = 60
	// trafficWindow is how many intervals its single numbers cover.
	trafficWindow = 6
	// maxTraffic is how many methods, and how many endpoints, it shows.
	maxTraffic = 200
	// maxStreams is how many live pages may be open at once.
	maxStreams = 16
	// writeTimeout is how long a live page may take to accept an update.
	writeTimeout = 10 * time.Second
	// defaultProfile is how long a CPU profile takes by default.
	defaultProfile = 30 * time.Second
	// defaultTrace is how long an execution trace takes by default.
	defaultTrace = time.Second
	// maxProfile is the longest CPU profile or execution trace.
	maxProfile = 5 * time.Minute
	// maxFormBytes is the largest body of a request.
	maxFormBytes = 1 << 10
)
