package framework

import "time"

// The defaults of the configuration, and fixed limits.
const (
	// The default trust domain.
	defaultTrustDomain = "local"
	// Where a pod finds its projected service account token.
	defaultPodTokenFile = "/var/run/secrets/parley/token" //nolint:gosec // a path
	// The time over which the load of a server is averaged for its load reports.
	loadWindow = time.Second
	// How long a client's connection is silent before the client sends a ping. It is the minimum of gRPC.
	clientPingTime = 10 * time.Second
	// How long the client waits for the answer to a ping. A silent server is noticed after both times.
	clientPingTimeout = 4 * time.Second
	// The minimum of a client's keepalive time. gRPC raises shorter times without an error.
	leastClientPingTime = 10 * time.Second
	// How long a server's connection is silent before the server sends a ping.
	serverPingTime = 20 * time.Second
	// How long the server waits for the answer to a ping.
	serverPingTimeout = 10 * time.Second
	// The minimum of a server's keepalive time.
	leastServerPingTime = time.Second
	// The minimum of the keepalive timeout.
	leastPingTimeout = time.Second
	// The shortest accepted time between two pings of a client. gRPC closes the connection of a client that pings more
	// often (gRFC A8).
	leastPingInterval = 5 * time.Second
	// The mean wait of a client before it opens a lost connection again after a first failure. The wait varies at random
	// by a fifth.
	reconnectFirst = 50 * time.Millisecond
	// The longest such wait. Waits grow by a factor of 1.6 and vary at random by a fifth.
	reconnectMost = 2 * time.Second
	// How long opening a connection may take, including its handshake.
	connectTimeout = 10 * time.Second
	// The largest request that a server reads, in bytes.
	defaultMaxRequestBytes = 4 << 20
	// The largest header list that a server reads, in bytes.
	maxHeaderListBytes = 32 << 10
	// The number of goroutines that a server keeps for calls, so that their stacks stay grown. Further calls start a new
	// goroutine. The value was measured with as many callers (bench/README.md): with more workers, their stacks shrink
	// while they wait.
	streamWorkers = 32
	// How long draining is announced before the service deregisters. Without discovery the stop does not wait.
	defaultAnnounce = time.Second
	// The longest wait of the stop for new calls to stop arriving.
	defaultQuiet = 2 * time.Second
	// If no new call comes within this time, arrivals have stopped.
	quietWindow = 200 * time.Millisecond
	// How long calls in flight may run after GOAWAY.
	defaultGrace = 15 * time.Second
	// Streams end after this part of the grace of a stop: 1/streamGraceShare.
	streamGraceShare = 3
	// How long handlers may take to return after their calls were cut, before they are reported as stuck.
	cutWait = time.Second
	// How long sending the last telemetry may take.
	defaultFlush = 2 * time.Second
	// The time for a stop before the process is killed, which is the default of Kubernetes. Check warns if a stop may take
	// longer.
	defaultTotal = 30 * time.Second
	// How long the discovery engine may take, during a stop, to show the draining state, and again to remove the instance.
	stopEngineTimeout = time.Second
	// How long each of these may take to end: a readiness check, background work, the operator's surfaces.
	endTimeout = time.Second
	// How long the start waits for the registration in discovery. The registry keeps trying after that.
	registerWait = 2 * time.Second
	// How long discovery may take to show a change of an instance.
	engineTimeout = 5 * time.Second
	// The time between two rounds of readiness checks.
	readinessInterval = time.Second
	// How long one readiness check may take.
	readinessTimeout = 5 * time.Second
	// The time between two looks at the configuration file. A new content tightens policies at the first look, and takes
	// effect completely when a second look sees the same content.
	reloadInterval = time.Second
	// The time between two looks at the files of a TLS certificate.
	certificateInterval = 2 * time.Second
	// The number of recent calls on the live page.
	ringCalls = 1000
	// The time between two samples of the retry budgets for the live page.
	budgetInterval = 5 * time.Second
	// The number of samples that the live page keeps, which is ten minutes.
	budgetPoints = 120
)
