package verify

import "time"

const (
	// MaxTokenLifetime is the longest lifetime of a token that a workload signs for itself.
	MaxTokenLifetime = time.Hour
	// maxClockSkew is the largest clock skew that can be granted to an issuer.
	maxClockSkew = 5 * time.Minute
	// SignatureWait is how long a credential may wait for its turn to be checked before the server calls itself
	// overloaded.
	SignatureWait = time.Second
	// cacheShards is in how many parts the cache of good tokens is locked.
	cacheShards = 16
	// cachedTokens is how many good tokens a server remembers.
	cachedTokens = 4096
	// cachedTokenBytes is how much memory they take at most, in bytes, as far as it can be told from their length.
	cachedTokenBytes = 32 << 20
	// recentTokenBytes is the same for those that are found without a hash, whose text is kept as well.
	recentTokenBytes = 4 << 20
	// tokenBytes is what a token takes whatever its length.
	tokenBytes = 2 << 10
	// recentPlaces is how many of them it finds without a hash, at most.
	recentPlaces = 256
	// cachedTokenAge is how long a good token is remembered at most; it also ends with its own time.
	cachedTokenAge = 5 * time.Minute
	// maxKeyWaits is how many calls may wait at once for the trust directory to be read, because it does not know the key
	// of their bearer token.
	maxKeyWaits = 1024
	// badTokens is how many tokens whose signature does not hold a server remembers.
	badTokens = 1024
	// badTokenAge is how long such a token is remembered.
	badTokenAge = 10 * time.Second
)
