package dedupe

import "time"

const (
	// How long an answer is kept: longer than a caller goes on retrying.
	defaultTTL = 10 * time.Minute
	// How long a handler with a key may go on, unless its caller gave it more.
	defaultHandlerTimeout = 30 * time.Second
	// How many keys the memory store holds.
	defaultEntries = 100_000
	// How many bytes the memory store holds: keys, answers and its own bookkeeping.
	defaultBytes = 64 << 20
	// How long storing an answer may take.
	storeTimeout = 5 * time.Second
	// The most characters that a key may have.
	maxKeyLength = 255
	// What an entry of the memory store costs beside its key and its answer, in bytes.
	entryBytes = 256
)
