package issuer

import "time"

const (
	// defaultTokenLife is how long an access token is valid (WithTokenLifetime).
	defaultTokenLife = 10 * time.Minute
	// maxTokenLife is the longest lifetime of an access token, issued or exchanged.
	maxTokenLife = time.Hour
	// defaultTransactionLife is how long a transaction token is valid (WithTransactionLifetime).
	defaultTransactionLife = 2 * time.Minute
	// maxTransactionLife is the longest lifetime of a transaction token.
	maxTransactionLife = 5 * time.Minute
	// minLife is the shortest lifetime of a token.
	minLife = time.Second

	// minIdentityLife is the shortest lifetime of an identity token (WithIdentityLifetime). The longest, which is the
	// default, is an hour.
	minIdentityLife = time.Minute

	// maxAssertionLife is the longest lifetime of an assertion, with which a service authenticates.
	maxAssertionLife = time.Minute
	// clockSkew is the tolerated difference to the clocks of services and of the login service of users.
	clockSkew = 30 * time.Second
	// replayMemory is how long an assertion is remembered: its longest lifetime plus twice the clock skew.
	replayMemory = maxAssertionLife + 2*clockSkew
	// maxAssertions is the maximum number of remembered assertions. One service may use at most as many places as are
	// free.
	maxAssertions = 1 << 17
	// maxTokenID is the maximum length of the jti of an assertion, in bytes.
	maxTokenID = 128

	// defaultRate is the number of tokens that a service may request per second (WithRate).
	defaultRate = 20
	// defaultBurst is the number of tokens that it may request at once (WithRate).
	defaultBurst = 100
	// maxRate is the largest rate and burst that can be set.
	maxRate = 1_000_000

	// waitAtMost is the longest time that a request waits for the registry and for the keys of the login service together.
	waitAtMost = 5 * time.Second
	// maxForm is the most bytes in the body of a request: an assertion of 8 KiB, a user's token of 24 KiB, and the rest.
	maxForm = 40 << 10
	// maxName is the maximum length of an ID, an audience or the sub of a user, in bytes.
	maxName = 2048
	// maxClientKeys is the maximum number of keys of a service, for its replicas and their rotation.
	maxClientKeys = 100
	// logInterval is the time between two log lines for a repeated refusal. The line has a count.
	logInterval = 10 * time.Second
	// logBurst is the maximum number of refusals that are logged within that interval, for proven services and for others
	// each.
	logBurst = 20
	// maxRefusals is the number of recent refusals that are remembered, for proven services and for others each.
	maxRefusals = 128
	// maxCause is the maximum length of the cause of a refusal in the audit log, in bytes.
	maxCause = 512

	// keysMaxAge is how long verifiers may keep the key set before they read it again.
	keysMaxAge = 5 * time.Minute
	// keyLead is how long a new key is published before it signs. A verifier that honors keysMaxAge reads the key set
	// twice in that time, with its jitter.
	keyLead = 12 * time.Minute
	// keyRetirement is how long a key stays published after its last signature: the longest lifetime of a token plus twice
	// the clock skew.
	keyRetirement = maxTokenLife + 2*clockSkew
	// signedSetLife is how long a key set that the root has signed is valid, the longest that verifiers accept.
	signedSetLife = 24 * time.Hour
	// maxKeys is the maximum number of published keys of an issuer.
	maxKeys = 16

	// stateInterval is how long an issuer uses what it has read from a store before it reads it again.
	stateInterval = time.Second
	// auditRetention is how long events of the audit trail are kept.
	auditRetention = 365 * 24 * time.Hour
	// maxAttempts is how often a change of a state is tried while other processes change it, too.
	maxAttempts = 10
	// maxHandle is the maximum length of a handle of a key service, in bytes.
	maxHandle = 4096
	// pageSize is the number of records that are read at once.
	pageSize = 256
	// maxBackupLine is the maximum length of a line of a backup, in bytes.
	maxBackupLine = 4 << 20
)
