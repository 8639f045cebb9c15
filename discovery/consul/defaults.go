package consul

import "time"

// The defaults of the configuration, and fixed limits.
const (
	// How long a query waits for a change. A working agent answers soon after that.
	defaultWait = 5 * time.Second
	// How long any other request may take, and how long the answer to a query may take after the wait.
	requestTimeout = 5 * time.Second
	// The shortest time between two queries for one service. Changes in that time are shown together.
	queryGap = 100 * time.Millisecond
	// How long an expired instance stays in the catalogue as critical. It is the minimum of Consul.
	litterAge = time.Minute
)
