package kubernetes

import "time"

// Where the configuration does not say otherwise, these hold.
const (
	// How long a request that is answered at once may take.
	requestTimeout = 5 * time.Second
	// How long one watch is asked for, give or take a tenth at random; the next one goes on where it ended.
	watchTime = 5 * time.Minute
	// How often a quiet watch asks whether the API server is alive, give or take a tenth at random.
	defaultCheck = 30 * time.Second
	// The name of a Service's port, where it has several.
	defaultPort = "grpc"
)
