package consul

import "time"

// Where the configuration does not say otherwise, these hold.
const (
	// How long a query waits for a change. A living agent answers soon after that.
	defaultWait = 5 * time.Second
	// How long one other request may take, and how much later than its wait a query may be answered.
	requestTimeout = 5 * time.Second
	// The shortest time between two queries for one service; changes in between are shown together.
	queryGap = 100 * time.Millisecond
	// How long an instance that is not renewed any more stays in the catalogue as critical. Consul takes no less.
	litterAge = time.Minute
)
