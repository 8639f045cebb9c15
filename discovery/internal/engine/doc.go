// Package engine holds what the drivers of remote engines share: configuration by URL, start and end, and the renewal
// of a lease.
package engine
