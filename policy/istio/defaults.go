package istio

import "time"

const (
	// The namespace whose policies count everywhere, unless the workload says otherwise.
	defaultRootNamespace = "istio-system"
	// How many bytes all files of a folder may have together.
	maxBytes = 16 << 20
	// How many files a folder may hold.
	maxFiles = 10_000
	// How many values one document may hold, with those that aliases repeat.
	maxValues = 100_000
	// How deep a document may nest.
	maxNesting = 64
	// How many mistakes are reported; behind them the files are not read on.
	maxMistakes = 200
	// How long names of namespaces and of objects may be, as in Kubernetes.
	maxLabel     = 63
	maxSubdomain = 253
	// How long a service account with its namespace may be, as in Istio.
	maxAccount = 320
	// How much of a wrong value is shown, in characters.
	maxShown = 60
	// For how many callers a method keeps what is left of its rules. Further callers are held against all of them.
	maxCallers = 256
	// For how many methods a guard keeps what it has compiled.
	maxMethods = 10_000
	// How many policies the refusal of a call that no ALLOW rule matches names as its source.
	maxSources = 3
	// The most attempts of a call; see package policy.
	maxAttempts = 10
	// How long a regular expression may be.
	maxExpression = 1024
	// Envoy's longest wait between attempts, in the time of the first, and the longest first wait.
	backoffGrowth  = 10
	longestBackoff = time.Hour
	// How long an instance may rest at first, and over how long its failures are counted, at most.
	longestRest = 5 * time.Minute
	// How many retries of a hundred calls a budget pays for that states no percentage.
	defaultBudgetPercent = 20.0
	// How many audiences a token of a user may name.
	maxAudiences = 1000
	// How long a token of a user may live. Istio sets no limit, and its own example of a token lives for a century.
	maxTokenLife = 200 * 365 * 24 * time.Hour
	// How far the clock of an issuer of users may be off, as Envoy has it.
	envoyClockSkew = time.Minute
)
