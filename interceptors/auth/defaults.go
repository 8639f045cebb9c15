package auth

import "time"

// Limits and lifetimes. Those that can be changed name the option that does.
const (
	// handshakeTimeout bounds everything from the accepted connection to the end of the HTTP/2 preface, on both ends.
	handshakeTimeout = 10 * time.Second
	// maxHandshakes is the most connections of one server that may be in their handshake at once; one more closes the
	// oldest (WithMaxHandshakes). The default is not more than a quarter of the file descriptors that the process may
	// have open.
	maxHandshakes = 1000
	// maxPlainStreams is the most calls that may be open at once on a connection of a server that also speaks plain
	// HTTP/2.
	maxPlainStreams = 250

	// maxConnectionAge is how long a connection may live on one proof (WithMaxConnectionAge shortens it).
	maxConnectionAge = 30 * time.Minute
	// minConnectionAge is the shortest life of a connection that may be configured.
	minConnectionAge = time.Second
	// streamLead is how long before a connection is closed for its age its streams are ended, so that their status
	// still arrives; at most a tenth of the age.
	streamLead = 5 * time.Second
	// maxTokenStream is how long a stream lives that a token has opened, whatever the lifetime of the token.
	maxTokenStream = 365 * 24 * time.Hour
	// drainPercent is the part of a connection's age, in percent, after which either end drains it with a GOAWAY.
	drainPercent = 80
	// drainSpreadPercent is the part of the time that is left then, in percent, by which a connection may be left
	// later, so that connections that were made together are left apart.
	drainSpreadPercent = 40
	// keyDrain is how long connections that were made with an own key live on after it was replaced.
	keyDrain = time.Minute
	// drainGracePercent is the time after that GOAWAY, in percent of the age, after which gRPC closes the connection if
	// nothing else did.
	drainGracePercent = 30

	// checkInterval is how often an identity that is not usable is checked again because of a connection or a call.
	checkInterval = time.Second
	// connectBackoff is the first wait between two attempts to connect. Waits grow by 1.6.
	connectBackoff = 50 * time.Millisecond
	// maxConnectBackoff is the longest wait between two attempts to connect, before gRPC adds or takes off a fifth.
	maxConnectBackoff = 5 * time.Second
	// minConnectTimeout is how long gRPC gives one attempt to connect at least.
	minConnectTimeout = 20 * time.Second
	// failureMemory is how long the status of a failed handshake explains failed calls; a little over the longest time
	// between the ends of two attempts to connect.
	failureMemory = 30 * time.Second

	// renewInterval is how often, at most, a channel asks for a new token because a server found one to be expired.
	renewInterval = time.Second
	// nonceAge is how long a channel in token mode uses one nonce.
	nonceAge = time.Minute
	// expiredProofAge is how long after its end a token still gets a proof of the server, so that its bearer can
	// believe that it has expired.
	expiredProofAge = time.Hour
	// maxTokenNonces is for how many nonces of one token a server remembers proofs at once.
	maxTokenNonces = 8
	// maxSessionProofs is how many proofs of a session a server remembers at once.
	maxSessionProofs = 4096
	// maxCallerProofs is how many of them are those of one caller, by its ID.
	maxCallerProofs = 256
	// unkeptProofs is how many proofs a second, at most, a server signs for one caller without remembering them.
	unkeptProofs = 50
	// replayMemory is how long a server remembers a proof of possession: the longest lifetime, and the clock skew
	// twice.
	replayMemory = 2 * time.Minute
	// maxSeenProofs is how many proofs of possession a server remembers, of one caller as many as there is room for
	// others.
	maxSeenProofs = 1 << 17
	// maxCheckedProofs is how many proofs that hold a channel remembers for one session.
	maxCheckedProofs = 256
	// maxTransactionLifetime is the longest lifetime of a transaction token.
	maxTransactionLifetime = 5 * time.Minute
	// maxHeaderList is the most bytes of metadata that a server reads of one call.
	maxHeaderList = 32 << 10
	// logInterval is how often a refusal is logged that repeats; the line says how many were left out.
	logInterval = 10 * time.Second
	// logBurst is how many refusals of proven peers are logged within that interval, and how many of others.
	logBurst = 20
	// maxRefusals is how many recent refusals of proven peers are kept, and how many of others.
	maxRefusals = 128
	// maxAgentBytes is the most bytes of a user agent, and of the name of a method, that a refusal keeps.
	maxAgentBytes = 256
	// answerTimeout bounds the answer to a client that speaks another language than the port, as plaintext.
	answerTimeout = time.Second
	// answerMost is how many bytes of such a client are read.
	answerMost = int64(64 << 10)
	// maxCauseBytes is the most bytes of the cause of a refusal that the audit log shows.
	maxCauseBytes = 512
)

const (
	// tokenWait is how long a call waits for another token, and a start for the first identity token.
	tokenWait = 2 * time.Second
	// assertionLifetime is how long the token is valid by which a workload authenticates to an issuer.
	assertionLifetime = time.Minute
	// selfSignedTokenLife is how long a token is valid that a workload signs itself for a TokenSource.
	selfSignedTokenLife = 10 * time.Minute

	// ownReread is how often a workload looks whether its own key or its identity token was replaced.
	ownReread = 2 * time.Second
)
