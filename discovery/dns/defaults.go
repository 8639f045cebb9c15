package dns

import "time"

// Where an option does not say otherwise, these hold.
const (
	// The name of a service, and the port, where no pattern is given.
	defaultPattern = "{service}:443"
	// How often a name is looked up again, whether or not a connection has failed.
	defaultInterval = 10 * time.Second
	// How long one lookup may take.
	lookupTimeout = 5 * time.Second
	// By which part of it an interval is made shorter or longer at random.
	jitter = 0.1
)
