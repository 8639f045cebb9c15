package retry

import "time"

// The defaults of policies and options, and fixed limits.
const (
	// The default deadline of a unary call, if neither the caller nor the method states one.
	defaultDeadline = 10 * time.Second
	// The attempts of one call, the first included.
	defaultMaxAttempts = 3
	// The upper bound of the first wait.
	defaultInitialBackoff = 50 * time.Millisecond
	// The maximum of the upper bound of a wait.
	defaultMaxBackoff = time.Second
	// The number of retries that one success adds to the budget.
	defaultBudgetRatio = 0.1
	// The capacity of the budget, in retries. The budget is full at first.
	defaultBudgetMax = 10
	// The number of retries that are added to the budget every second without any success.
	defaultBudgetMinPerSecond = 0.1
	// The most that may trickle into a budget every second; each client of a service adds this much to its load in an
	// outage.
	maxBudgetMinPerSecond = 1
	// The most that may trickle into a budget that is unsafe.
	maxUnsafeMinPerSecond = 100
	// The most that a budget may hold, in retries.
	maxBudgetMax = 1e6
	// The minimum of the assumed duration of an attempt, when it is compared with the deadline.
	minAttempt = 5 * time.Millisecond
	// The maximum random extension of a wait that a server asked for, as a share of it, so that its callers do not all
	// come back at the same time.
	waitSpread = 0.1
	// The least time between two planned ends of one call that cost no budget.
	plannedInterval = 10 * time.Second
	// The default number of hedges in flight, if a policy has hedging without a number.
	defaultMaxHedges = 1
	// The minimum of the measured delay of hedges.
	minHedgeDelay = time.Millisecond
	// The attempts after which measured times decide about hedges and timeouts.
	trustedSamples = 100
	// The share of failed attempts from which on DefaultBreaker is open.
	defaultFailureRatio = 0.5
	// The attempts without which DefaultBreaker is not open.
	defaultBreakerAttempts = 50
	// The time over which DefaultBreaker counts attempts.
	defaultBreakerWindow = 10 * time.Second
	// The shortest window of a breaker.
	minBreakerWindow = 100 * time.Millisecond
	// The longest window of a breaker.
	maxBreakerWindow = time.Hour
	// The maximum size of the sent messages that one stream keeps for another attempt, in bytes.
	defaultReplayLimit = 256 << 10
	// The maximum size of the sent messages that all streams of a Retrier keep, in bytes.
	defaultReplayMemory = 64 << 20
	// The memory of a kept message, in addition to its content, in bytes.
	frameBytes = 64
	// The most characters that an idempotency key may have.
	maxKeyLength = 255
)
