package auth

import "time"

const (
	// tokenRefresh is the part of a token's life after which another one is fetched in the background.
	tokenRefresh = 0.78
	// tokenRefreshJitter is the part by which that is drawn shorter or longer.
	tokenRefreshJitter = 0.1
	// tokenEarlyEnd is how long before its end a token is no longer sent; at most a fifth of its life.
	tokenEarlyEnd = 30 * time.Second
	// tokenWait is how long a call waits for a token when there is none that is good.
	tokenWait = 2 * time.Second
	// tokenFetchTimeout bounds one question to a source of tokens.
	tokenFetchTimeout = 5 * time.Second
	// tokenFirstRetry bounds the wait after the first fetch of a token that failed.
	tokenFirstRetry = time.Second
	// tokenLastRetry bounds the wait after a fetch of a token that failed, however many failed before.
	tokenLastRetry = 30 * time.Second
	// tokenDropInterval is the shortest time between two tokens that are dropped because a server found them to be expired.
	tokenDropInterval = time.Second
	// tokenFilePoll is how often a cache reads a token file again.
	tokenFilePoll = 30 * time.Second
	// maxTokenFile is the size in bytes beyond which no token file is read.
	maxTokenFile = 16 << 10
	// maxTokenAnswer is the size in bytes beyond which no answer of a token endpoint is read.
	maxTokenAnswer = 16 << 10
)
