package dns

import "time"

const (
	// The name of a service, and the port, where no pattern is given.
	defaultPattern = "{service}:443"
	// How often a name is looked up again, even when no connection has failed.
	defaultInterval = 10 * time.Second
	// How long one lookup may take.
	lookupTimeout = 5 * time.Second
	// The share of an interval that is added or subtracted at random.
	jitter = 0.1
)
