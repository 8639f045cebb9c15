package tokens

import "time"

const (
	// refreshAt is the part of a token's life after which another one is fetched in the background.
	refreshAt = 0.78
	// refreshJitter is the part by which that is drawn shorter or longer.
	refreshJitter = 0.1
	// earlyEnd is how long before its end a token is no longer sent; at most a fifth of its life.
	earlyEnd = 30 * time.Second
	// wait is how long a call waits for a token when there is none that is good.
	wait = 2 * time.Second
	// fetchTimeout bounds one question to a source of tokens.
	fetchTimeout = 5 * time.Second
	// firstRetry bounds the wait after the first fetch of a token that failed.
	firstRetry = time.Second
	// lastRetry bounds the wait after a fetch of a token that failed, however many failed before.
	lastRetry = 30 * time.Second
	// dropInterval is the shortest time between two tokens that are dropped because a server found them to be expired.
	dropInterval = time.Second
	// filePoll is how often a cache reads a token file again.
	filePoll = 30 * time.Second
	// maxAnswerBytes is the size in bytes beyond which no answer of a token endpoint is read.
	maxAnswerBytes = 64 << 10
	// maxLife is for how long a token is kept at most, whatever expires_in says.
	maxLife = 30 * 24 * time.Hour
	// maxSecretBytes is the size in bytes beyond which no file with a client's secret, certificate or key is read.
	maxSecretBytes = 64 << 10
	// assertionLife is how long an assertion is valid that is signed with the key of a certificate.
	assertionLife = time.Minute
)
