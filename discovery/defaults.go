package discovery

import "time"

const (
	// How long an engine shows an instance after its process has died.
	defaultTTL = 15 * time.Second
	// How long changes are collected before they are published.
	defaultDebounce = 100 * time.Millisecond
	// The longest time for which changes are collected while new changes keep coming.
	defaultDebounceMost = 800 * time.Millisecond
	// How long instances are still used when they suddenly disappear from the engine's list.
	defaultHold = 5 * time.Minute
	// The time window in which losses are counted together. Leases that were lost at the same time expire within it.
	lossWindow = time.Minute
	// How long the engine may take to answer before ErrSilent is reported.
	defaultFirstWait = 3 * time.Second
	// How long a watch runs after its last subscriber has left. It is longer than gRPC's idle timeout of 30 minutes.
	defaultLinger = time.Hour
	// The maximum of the random wait after a first failure of the engine.
	defaultBackoff = 200 * time.Millisecond
	// The maximum of the random wait between two attempts. A recovered engine is therefore found within five seconds.
	defaultBackoffMost = 4 * time.Second
	// The maximum of the random wait before a lost instance is announced again. The wait spreads the announcements of
	// instances that were lost at the same time.
	rejoinSpread = time.Second
	// The maximum size of the file of last known good lists.
	memoryMost = 16 << 20
	// The shortest time between two writes of that file.
	memoryInterval = time.Second
	// How long one request to announce, update or revoke an instance may take.
	callTimeout = 5 * time.Second
	// How long Close may take to revoke the remaining registrations.
	closeTimeout = 2 * time.Second
)
