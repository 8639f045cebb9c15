package framework

import "time"

// Where a value is not configured, these hold.
const (
	// The trust domain of an App whose configuration names none.
	defaultTrustDomain = "local"
	// How long the load of a server is averaged for the reports to its clients.
	loadWindow = time.Second
	// How long a client's connection may be silent before the server is asked whether it is there: the least that gRPC
	// takes.
	clientPingTime = 10 * time.Second
	// How long the server may take to answer. A silent server is left after both times.
	clientPingTimeout = 4 * time.Second
	// The least silence after which a client may ask; gRPC raises shorter ones without a word.
	leastClientPingTime = 10 * time.Second
	// How long a server's connection may be silent before the client is asked whether it is there.
	serverPingTime = 20 * time.Second
	// How long the client may take to answer.
	serverPingTimeout = 10 * time.Second
	// The least silence after which a server may ask.
	leastServerPingTime = time.Second
	// The least time in which the other end has to answer.
	leastPingTimeout = time.Second
	// How often a client may ask. A client that asks more often is turned away by gRPC (gRFC A8).
	leastPingInterval = 5 * time.Second
	// How long a client waits, give or take a fifth, before it opens a lost connection again after a first failure.
	reconnectFirst = 50 * time.Millisecond
	// The longest such wait. Waits grow by 1.6 and are random by a fifth.
	reconnectMost = 2 * time.Second
	// How long opening a connection may take, its handshake included.
	connectTimeout = 10 * time.Second
	// The largest request that a server reads, in bytes.
	defaultMaxRequestBytes = 4 << 20
	// The largest header list that a server reads, in bytes.
	maxHeaderListBytes = 32 << 10
	// How many goroutines of a server are kept for calls, so that their stacks stay grown. Further calls get a goroutine
	// of their own. Measured best with as many callers (bench/README.md): the stacks of more workers shrink while they
	// wait.
	streamWorkers = 32
	// How long draining is announced before the service deregisters. Nothing is waited for without discovery.
	defaultAnnounce = time.Second
	// How long the stop waits, at most, until no new calls arrive.
	defaultQuiet = 2 * time.Second
	// No new call within this time means that arrivals have stopped.
	quietWindow = 200 * time.Millisecond
	// How long calls in flight may go on after GOAWAY.
	defaultGrace = 15 * time.Second
	// streamGraceShare is the part of the grace of a stop, one in so many, after which streams end.
	streamGraceShare = 3
	// How long cut handlers have to return before they are reported as stuck.
	cutWait = time.Second
	// How long the last telemetry may take to leave.
	defaultFlush = 2 * time.Second
	// How long the process has for its stop before it is killed, as Kubernetes has it. A longer stop is warned of.
	defaultTotal = 30 * time.Second
	// How long the engine of discovery may take, at the stop, to show the draining state, and to forget the instance.
	stopEngineTimeout = time.Second
	// How long a readiness check, background work and the operator's surfaces may take to end, each.
	endTimeout = time.Second
	// How long the start waits for discovery to take the registration; it goes on being tried.
	registerWait = 2 * time.Second
	// How long discovery may take to show a change of an instance.
	engineTimeout = 5 * time.Second
	// How often readiness is asked for.
	readinessInterval = time.Second
	// How long one readiness check may take.
	readinessTimeout = 5 * time.Second
	// How often the configuration file is looked at. What a content tightens counts at the first look, the rest at the
	// second that sees the same.
	reloadInterval = time.Second
	// How long a TLS certificate is used before its files are looked at again.
	certificateInterval = 2 * time.Second
	// How many recent calls the live page keeps.
	ringCalls = 1000
	// How often the live page notes how full the retry budgets are.
	budgetInterval = 5 * time.Second
	// How many of these values it keeps: ten minutes of them.
	budgetPoints = 120
)
