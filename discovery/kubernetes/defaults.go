package kubernetes

import "time"

// The defaults of the configuration, and fixed limits.
const (
	// How long a request may take, other than a watch.
	requestTimeout = 5 * time.Second
	// The mean duration of one watch. The duration varies at random by a tenth. The next watch continues where the last
	// one ended.
	watchTime = 5 * time.Minute
	// The mean time between two checks, during a silent watch, that the API server is alive. The time varies at random by
	// a tenth.
	defaultCheck = 30 * time.Second
	// The name of the port of a Service that has several ports.
	defaultPort = "grpc"
)
