package etcd

import "time"

// The defaults of the configuration, and fixed limits.
const (
	// The prefix of the keys.
	defaultPrefix = "parley"
	// How long one request may take.
	requestTimeout = 3 * time.Second
	// The mean time between two checks that etcd is alive and has as many instances as the watch. The time varies at
	// random by a tenth.
	checkInterval = 3 * time.Second
	// How long a request waits for a new connection.
	connectWait = time.Second
	// The longest wait of the client before it connects again.
	reconnectMost = 3 * time.Second
	// How often a silent connection is pinged, and how long the answer may take. Servers refuse pings more often than
	// every 5s.
	keepAliveTime    = 10 * time.Second
	keepAliveTimeout = 3 * time.Second
)
