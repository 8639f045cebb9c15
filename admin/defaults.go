package admin

import "time"

const (
	// defaultListed is the default number of calls in /calls.
	defaultListed = 100
	// streamInterval is the shortest time between two updates of a live page.
	streamInterval = 200 * time.Millisecond
	// streamBatch is the maximum number of calls in one update of a live page.
	streamBatch = 200
	// trafficInterval is the time between two readings of the counts of calls for the live page.
	trafficInterval = 10 * time.Second
	// trafficPoints is the number of intervals that the live page shows.
	trafficPoints = 60
	// trafficWindow is the number of intervals over which it computes rates and latencies.
	trafficWindow = 6
	// maxTraffic is the maximum number of methods, and of endpoints, that it shows.
	maxTraffic = 200
	// maxStreams is the maximum number of open live pages.
	maxStreams = 16
	// writeTimeout is how long a live page may take to accept an update.
	writeTimeout = 10 * time.Second
	// defaultProfile is the default duration of a CPU profile.
	defaultProfile = 30 * time.Second
	// defaultTrace is the default duration of an execution trace.
	defaultTrace = time.Second
	// maxProfile is the longest CPU profile or execution trace.
	maxProfile = 5 * time.Minute
	// maxFormBytes is the maximum size of the body of a request, in bytes.
	maxFormBytes = 64 << 10
)
