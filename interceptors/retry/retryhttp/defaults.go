package retryhttp

import "time"

const (
	// The hosts that have a budget of their own.
	maxHosts = 1000
	// How much of the body of a failed attempt is read, in bytes, so that its connection can be used again. A longer one
	// is closed with its connection.
	maxDrain = 64 << 10
	// How long the body of a failed attempt is read for that.
	maxDrainTime = time.Second
	// How long the next attempt waits for that.
	maxDrainWait = 5 * time.Millisecond
)
