package issuer

import "time"

const (
	// defaultTokenLife is how long an access token is valid (WithTokenLifetime).
	defaultTokenLife = 10 * time.Minute
	// maxTokenLife is the longest life of an access token, made here or exchanged here.
	maxTokenLife = time.Hour
	// defaultTransactionLife is how long a transaction token is valid (WithTransactionLifetime).
	defaultTransactionLife = 2 * time.Minute
	// maxTransactionLife is the longest life of a transaction token.
	maxTransactionLife = 5 * time.Minute
	// minLife is the shortest life of any token.
	minLife = time.Second

	// maxAssertionLife is the longest life of an assertion, by which a service logs in.
	maxAssertionLife = time.Minute
	// clockSkew is how far the clocks of services and of the users' login service may be off.
	clockSkew = 30 * time.Second
	// replayMemory is how long an assertion is remembered: its longest life, and the clock skew twice.
	replayMemory = maxAssertionLife + 2*clockSkew
	// maxAssertions is how many assertions are remembered, of one service as many as there is room for others.
	maxAssertions = 1 << 17
	// maxTokenID is the most bytes of the jti of an assertion.
	maxTokenID = 128

	// defaultRate is how many tokens a service may ask for in one second (WithRate).
	defaultRate = 20
	// defaultBurst is how many it may ask for at once (WithRate).
	defaultBurst = 100
	// maxRate is the largest rate and burst that can be set.
	maxRate = 1_000_000

	// waitAtMost is how long a request waits for the registry and for the keys of the login service together.
	waitAtMost = 5 * time.Second
	// maxForm is the most bytes in the body of a request: an assertion of 8 KiB, a user's token of 24 KiB, and the rest.
	maxForm = 40 << 10
	// maxName is the most bytes of an ID, an audience or the sub of a user.
	maxName = 2048
	// maxClientKeys is how many keys a service may have, for its replicas and their rotation.
	maxClientKeys = 100
	// logInterval is how often a refusal is logged that repeats; the line says how many were left out.
	logInterval = 10 * time.Second
	// logBurst is how many refusals of proven services are logged within that interval, and how many of others.
	logBurst = 20
	// maxRefusals is how many recent refusals of proven services are remembered, and how many of others.
	maxRefusals = 128
	// maxCause is the most bytes of the cause of a refusal that the audit log shows.
	maxCause = 512

	// keysMaxAge is how long verifiers may keep the key set before they read it again.
	keysMaxAge = 5 * time.Minute
	// keyLead is how long a new key is published before it signs: two readings of a verifier that goes by keysMaxAge, with its jitter.
	keyLead = 12 * time.Minute
	// keyRetirement is how long a key stays published after it has signed for the last time: the longest life of a token, and the clock skew twice.
	keyRetirement = maxTokenLife + 2*clockSkew
	// maxKeys is how many keys an issuer may have published at once.
	maxKeys = 16
)
