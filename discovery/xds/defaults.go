package xds

import "time"

// examineInterval is how often the description of a listener is looked through for principals. gRPC tells of the first
// one and of those that it cannot use; of others one learns only by looking.
const examineInterval = time.Second
