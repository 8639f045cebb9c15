package discovery

import "time"

const (
	// How long an engine shows an instance after its process has died.
	defaultTTL = 15 * time.Second
	// How long changes are collected before they are published.
	defaultDebounce = 100 * time.Millisecond
	// How long changes are collected, at most, while they keep coming.
	defaultDebounceMost = 800 * time.Millisecond
	// How long instances are kept that an engine suddenly no longer lists.
	defaultHold = 5 * time.Minute
	// The time within which losses add up. Leases that were lost together expire within it.
	lossWindow = time.Minute
	// How long the engine may be silent before that is an error.
	defaultFirstWait = 3 * time.Second
	// How long a watch outlives its last user; longer than gRPC's idle timeout of 30 minutes.
	defaultLinger = time.Hour
	// The longest possible wait after a first failure of the engine; the wait itself is random.
	defaultBackoff = 200 * time.Millisecond
	// The longest possible wait between two attempts, so that an engine that is back is found within five seconds.
	defaultBackoffMost = 4 * time.Second
	// The longest possible wait before a lost instance is announced again, so that instances that were lost together do
	// not come back together.
	rejoinSpread = time.Second
	// The largest file of last known good lists.
	memoryMost = 16 << 20
	// How often that file is written at most.
	memoryInterval = time.Second
	// How long one request to announce, update or revoke an instance may take.
	callTimeout = 5 * time.Second
	// How long Close may take to revoke what is still registered.
	closeTimeout = 2 * time.Second
)
