package grpcbalancer

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// A connection whose peer is frozen or has vanished looks healthy until gRPC's keepalive closes it, after ten seconds
// at the earliest. Until then every attempt on it waits for its deadline. Therefore the channel looks for endpoints
// that were sent an attempt and have sent no byte since. If no byte comes for quietLimit, the channel sends a health
// check on the same connection. Any answer is sufficient. If no answer comes within probeLimit, the endpoint is silent:
// it gets no calls while there are other endpoints, and attempts that can be retried end. The next byte ends the
// silence.

// Dialer returns a function for grpc.WithContextDialer that calls dial and records when bytes arrive. Without it the
// policy does not notice silent endpoints. Channels with other policies may use it, too.
func Dialer(
	dial func(ctx context.Context, addr string) (net.Conn, error),
) func(ctx context.Context, addr string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		conn, err := dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		of, ok := credentials.ClientHandshakeInfoFromContext(ctx).Attributes.Value(arrivalsKey{}).(*arrivals)
		if !ok {
			return conn, nil
		}
		of.observed.Store(true)
		return &observedConn{conn, of}, nil
	}
}

type arrivalsKey struct{}

// arrivals counts the reads from the connections to an endpoint.
type arrivals struct {
	observed atomic.Bool // a connection counts its reads
	reads    atomic.Uint64
}

// String keeps the counters out of gRPC's logs.
func (*arrivals) String() string { return "arrivals" }

type observedConn struct {
	net.Conn

	arrivals *arrivals
}

func (c *observedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.arrivals.reads.Add(1)
	}
	return n, err
}

// quiet is the state of an endpoint that does not answer. The lock of the members guards it.
type quiet struct {
	reads  uint64             // the number of reads at the last look
	since  time.Duration      // the time since which an attempt waits for a byte, since channel.made; 0 if none waits
	asked  time.Duration      // the time of the health check, since channel.made; 0 if there is none
	cancel context.CancelFunc // ends the health check; nil if there is none
}

// sent records that an attempt is sent to the endpoint.
func (e *endpoint) sent() {
	if !e.arrivals.observed.Load() {
		return
	}
	// The number of reads plus 1, so that 0 means that no attempt was sent. For most attempts the number is stored
	// already.
	if next := e.arrivals.reads.Load() + 1; e.sentAt.Load() != next {
		e.sentAt.Store(next)
	}
	e.channel.look()
}

// look starts checking the endpoints at intervals. It stops when no attempt waits for a first byte.
func (c *channel) look() {
	if !c.looking.Load() && c.looking.CompareAndSwap(false, true) {
		c.looked.Store(int64(time.Since(c.made)))
		time.AfterFunc(lookInterval, c.lookAround)
	}
}

// lookAround looks at each endpoint once.
func (c *channel) lookAround() {
	now := time.Since(c.made)
	// If this process was stopped, the endpoints had no chance to be heard.
	stopped := now-time.Duration(c.looked.Swap(int64(now))) > 3*lookInterval
	c.membersMu.Lock()
	waits := false
	var silent []*endpoint
	for e := range c.members {
		pending, becomes := e.lookAt(now, stopped)
		waits = waits || pending
		if becomes {
			silent = append(silent, e)
		}
	}
	others := c.hasUsableOther(now)
	c.membersMu.Unlock()
	for _, e := range silent {
		ended := 0
		if others {
			ended = e.waiting.End(time.Now())
		}
		c.states.Load().silent(e.address(), ended)
	}
	if waits {
		time.AfterFunc(lookInterval, c.lookAround)
		return
	}
	c.looking.Store(false)
	c.membersMu.Lock()
	defer c.membersMu.Unlock()
	for e := range c.members {
		if e.pending() { // an attempt was sent just before the look ended
			c.look()
			return
		}
	}
}

// hasUsableOther reports whether at least one endpoint accepts calls and is not silent. The caller holds the lock of
// the members.
func (c *channel) hasUsableOther(now time.Duration) bool {
	for e := range c.members {
		if e.usable.Load() && !e.silent.Load() && e.resting.Load() <= int64(now) {
			return true
		}
	}
	return false
}

// pending reports whether no byte has come since the last attempt was sent.
func (e *endpoint) pending() bool {
	return e.connected.Load() && e.sentAt.Load() == e.arrivals.reads.Load()+1
}

// lookAt checks one endpoint. It returns whether the endpoint must be checked again, and whether it became silent now.
// The caller holds the lock of the members.
func (e *endpoint) lookAt(now time.Duration, stopped bool) (pending, becomes bool) {
	reads := e.arrivals.reads.Load()
	heard := reads != e.quiet.reads
	e.quiet.reads = reads
	switch {
	case !e.pending() || heard:
		e.speaks()
		if e.pending() {
			e.quiet.since = now
		}
	case e.silent.Load():
	case e.quiet.since == 0, stopped:
		e.quiet.since = now
		if e.quiet.asked != 0 {
			e.quiet.asked = now
		}
	case e.quiet.asked == 0:
		if now-e.quiet.since >= quietLimit {
			e.quiet.asked = now
			e.ask()
		}
	case now-e.quiet.asked >= probeLimit:
		e.silent.Store(true)
		e.channel.silences.Add(1)
		becomes = true
	}
	return e.pending(), becomes
}

// speaks resets the state of an endpoint that answers again. The caller holds the lock of the members.
func (e *endpoint) speaks() {
	e.quiet.since, e.quiet.asked = 0, 0
	if e.quiet.cancel != nil {
		e.quiet.cancel()
		e.quiet.cancel = nil
	}
	if e.silent.Swap(false) {
		e.channel.silences.Add(-1)
		if e.connected.Load() {
			e.channel.states.Load().speaks(e.address())
		}
	}
}

// ask sends a health check on the connection of the endpoint. Any answer is a byte on that connection. The health check
// ends when the endpoint answers or the connection ends. The caller holds the lock of the members.
func (e *endpoint) ask() {
	ctx, cancel := context.WithCancel(context.Background())
	e.quiet.cancel = cancel
	go func() {
		producer, done := e.GetOrBuildProducer(probeBuilder{})
		defer done()
		p, ok := producer.(*probe)
		if !ok {
			return
		}
		// The error does not matter: any answer is a byte that arrived.
		_ = p.conn.Invoke(
			ctx,
			healthpb.Health_Check_FullMethodName,
			&healthpb.HealthCheckRequest{},
			&healthpb.HealthCheckResponse{},
		)
	}()
}

// probe makes calls on one connection, without the picker.
type probe struct{ conn grpc.ClientConnInterface }

type probeBuilder struct{}

// Build implements balancer.ProducerBuilder.
func (probeBuilder) Build(conn any) (balancer.Producer, func()) {
	p := &probe{}
	p.conn, _ = conn.(grpc.ClientConnInterface)
	return p, func() {}
}
