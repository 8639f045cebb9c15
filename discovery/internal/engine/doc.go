// Package engine is what the drivers of engines behind a socket share: how they are configured by URL, and how they renew
// a lease.
package engine
