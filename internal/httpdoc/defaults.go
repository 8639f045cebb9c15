package httpdoc

import "time"

const (
	// dialTimeout bounds how long it takes to reach the host.
	dialTimeout = 2 * time.Second
	// totalTimeout bounds a whole exchange.
	totalTimeout = 5 * time.Second
	// maxHeaderBytes is the most bytes of response headers that are read.
	maxHeaderBytes = 64 << 10
	// maxShown is the most bytes of an address that an error shows.
	maxShown = 200
	// maxETag is the longest version of a document that is remembered, in bytes.
	maxETag = 256
)
