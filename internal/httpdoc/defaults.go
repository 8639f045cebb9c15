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
	// maxCABytes is the size in bytes beyond which no file of certificate authorities is read.
	maxCABytes = 1 << 20
	// maxRedirects is how many permanent redirects on one host are followed.
	maxRedirects = 2
	// maxETag is the longest version of a document that is remembered, in bytes.
	maxETag = 256
)
