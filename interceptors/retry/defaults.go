package retry

import "time"

// Where a policy or an option states nothing, these hold.
const (
	// The deadline of a unary call for which neither the caller nor the method states one.
	defaultDeadline = 10 * time.Second
	// The attempts of one call, the first included.
	defaultMaxAttempts = 3
	// The upper bound of the first wait.
	defaultInitialBackoff = 50 * time.Millisecond
	// What no upper bound of a wait exceeds.
	defaultMaxBackoff = time.Second
	// What one success adds to the budget, in retries.
	defaultBudgetRatio = 0.1
	// What the budget holds at most, and at first, in retries.
	defaultBudgetMax = 10
	// What trickles into the budget every second without any success, in retries.
	defaultBudgetMinPerSecond = 0.1
	// The most that may trickle into a budget every second; each client of a service adds this much to its load in an
	// outage.
	maxBudgetMinPerSecond = 1
	// The most that may trickle into a budget that is unsafe.
	maxUnsafeMinPerSecond = 100
	// The most that a budget may hold, in retries.
	maxBudgetMax = 1e6
	// What an attempt is assumed to take at least, when the deadline is weighed.
	minAttempt = 5 * time.Millisecond
	// How much longer than a server asked for a wait may be, as a share of it: what it said to many callers does not bring
	// them back at once.
	waitSpread = 0.1
	// The least time between two planned ends of one call that cost no budget.
	plannedInterval = 10 * time.Second
	// The attempts that are out beside the first, where a policy wants hedges and does not say how many.
	defaultMaxHedges = 1
	// What an attempt is out alone at least, when the delay of hedges is measured.
	minHedgeDelay = time.Millisecond
	// The attempts after which measured times decide about hedges and timeouts.
	trustedSamples = 100
	// The share of failed attempts from which on DefaultBreaker is open.
	defaultFailureRatio = 0.5
	// The attempts without which DefaultBreaker is not open.
	defaultBreakerAttempts = 50
	// How long an attempt counts for DefaultBreaker.
	defaultBreakerWindow = 10 * time.Second
	// The shortest window of a breaker.
	minBreakerWindow = 100 * time.Millisecond
	// The longest window of a breaker.
	maxBreakerWindow = time.Hour
	// What one stream may keep of what it has sent, to send it again, in bytes.
	defaultReplayLimit = 256 << 10
	// What the streams of a Retrier may keep together, in bytes.
	defaultReplayMemory = 64 << 20
	// What a kept message costs beside its content, in bytes.
	frameBytes = 64
	// The most characters that an idempotency key may have.
	maxKeyLength = 255
)
