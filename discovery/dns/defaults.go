package dns

import "time"

const (
	// The default pattern: the name of the service, and the port of its instances.
	defaultPattern = "{service}:443"
	// The mean time between two lookups of a name.
	defaultInterval = 10 * time.Second
	// How long one lookup may take.
	lookupTimeout = 5 * time.Second
	// The maximum random change of an interval, as a share of it.
	jitter = 0.1
)
