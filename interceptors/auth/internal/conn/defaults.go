package conn

import "time"

const (
	// WallCheckInterval is how often a session compares its lifetime with the wall clock, which may jump.
	WallCheckInterval = time.Minute
	// maxStrangerBytes is the most bytes of unfinished requests that a connection may hold before it has proven
	// anything: a message of gRPC's default size, and what HTTP/2 adds.
	maxStrangerBytes = 4<<20 + 64<<10
	// maxStrangersBytes is the most bytes of unfinished requests that all such connections of a server may hold; beyond
	// it the one that holds most is closed.
	maxStrangersBytes = 64 << 20
	// strangerTime is how long a request on such a connection may stay unfinished.
	strangerTime = 10 * time.Second
)
