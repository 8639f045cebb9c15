package dedupe

import "time"

const (
	// How long an answer is kept: longer than a caller goes on retrying.
	defaultTTL = 10 * time.Minute
	// How long a handler with a key may go on, unless its caller gave it more.
	defaultHandlerTimeout = 30 * time.Second
	// The maximum number of keys in the memory store.
	defaultEntries = 100_000
	// The maximum size of the memory store, in bytes: keys, answers and bookkeeping.
	defaultBytes = 64 << 20
	// How long storing an answer may take.
	storeTimeout = 5 * time.Second
	// The most characters that a key may have.
	maxKeyLength = 255
	// The memory of an entry of the memory store, in addition to its key and answer, in bytes.
	entryBytes = 256
)
