package xds

import "time"

// examineInterval is the time between two checks of a listener's configuration for principals. gRPC reports the first
// configuration and invalid ones. Later changes must be polled.
const examineInterval = time.Second
