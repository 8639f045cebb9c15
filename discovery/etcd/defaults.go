package etcd

import "time"

// Where the configuration does not say otherwise, these hold.
const (
	// The prefix of the keys.
	defaultPrefix = "parley"
	// How long one request may take.
	requestTimeout = 3 * time.Second
	// How often a watch asks whether the engine is alive and shows the same, give or take a tenth at random.
	checkInterval = 3 * time.Second
	// How long a request waits for a connection that is being made.
	connectWait = time.Second
	// The longest wait of the client before it makes a connection by itself.
	reconnectMost = 3 * time.Second
	// How often a quiet connection is tested, and how long that may take. Servers refuse less than 5s.
	keepAliveTime    = 10 * time.Second
	keepAliveTimeout = 3 * time.Second
)
