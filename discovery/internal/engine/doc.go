// Package engine is what the drivers of engines behind a socket share: how they are configured by URL, how they live and end,
// and how they renew a lease.
package engine
