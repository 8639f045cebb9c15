package keyset

import "time"

const (
	// minStale is the shortest time for which [WithMaxStale] keeps the last good set in force.
	minStale = time.Minute
	// maxStale is how long the last good set stays in force while its source cannot be read; [WithMaxStale] shortens it.
	maxStale = 24 * time.Hour
	// maxKeys is how many usable keys of a set count; those after them are skipped.
	maxKeys = 100
	// maxTwins is how many keys with one kid and one algorithm count, and so how many signatures are checked for one
	// token.
	maxTwins = 4
	// maxNamed is how many of the keys that were skipped are named.
	maxNamed = 100
	// maxBytes is the size in bytes, after decompression, beyond which no set is read.
	maxBytes = 512 << 10
	// maxDiscovery is the size in bytes beyond which no discovery document is read.
	maxDiscovery = 64 << 10

	// fetchTimeout bounds one reading of a source, unless [WithTimeout] says otherwise.
	fetchTimeout = 5 * time.Second
	// minTimeout is the least that [WithTimeout] takes.
	minTimeout = 10 * time.Millisecond
	// maxTimeout is the most that [WithTimeout] takes.
	maxTimeout = time.Minute
	// defaultRefresh is how long after one fetch from a URL the next follows when the server does not say how long the set
	// may be cached.
	defaultRefresh = 5 * time.Minute
	// minRefresh is the shortest time between two fetches that a server can ask for.
	minRefresh = time.Minute
	// maxRefresh is the longest time between two fetches that a server can ask for.
	maxRefresh = time.Hour
	// fileRefresh is how often a file is read again.
	fileRefresh = 5 * time.Second
	// refreshJitter is the part by which the time to the next fetch is drawn shorter or longer.
	refreshJitter = 0.1
	// firstRetry bounds the wait after the first fetch that failed.
	firstRetry = time.Second
	// lastRetry bounds the wait after a fetch that failed, however many failed before.
	lastRetry = 30 * time.Second
	// discoveryRefresh is how long a discovery document is used before it is fetched again.
	discoveryRefresh = time.Hour

	// unknownGap is how long after the last fetch an unknown key can cause another.
	unknownGap = 10 * time.Second
	// unknownWait is how long a caller waits for the fetch that an unknown key causes.
	unknownWait = time.Second
	// maxUnknown is how many unknown keys are remembered, and how many callers wait for one fetch.
	maxUnknown = 1024
	// unknownMemory is how long a key that a fetch did not find causes no other.
	unknownMemory = 30 * time.Second

	// maxSignedLife is the longest lifetime of a signed set that is accepted.
	maxSignedLife = 24 * time.Hour
	// clockSkew is how far the clock of the signer of a set may be off.
	clockSkew = 30 * time.Second
)
