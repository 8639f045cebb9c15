package auth

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// beginConnection begins the session of a connection, which lives from now until the connection is closed. Its end is
// planned: both ends have key and token at hand to make another connection.
func (i *workload) beginConnection(
	c *ownCredentials, role string, other verify.Proven, raw net.Conn,
) (*conn.Session, error) {
	now := time.Now()
	age := i.config.connectionAge
	for _, end := range []time.Time{c.expires, other.Expires} {
		if !end.IsZero() {
			age = min(age, end.Sub(now.Round(0)))
		}
	}
	if age <= 0 {
		return nil, wire.ErrExpired
	}
	life := conn.NewLifetime(now, age, drainOf(age), min(streamLead, age/10))
	return i.begin(conn.Terms{
		What: "connection", Role: role, Life: life, Planned: true, Raw: raw, By: c.key,
		Peer: principal.Peer{
			ID: other.ID, Carrier: principal.CarrierConnection, KeyID: other.KeyID, Expires: life.End(), Audiences: i.audiences,
		},
		Validity: other.Validity, Generation: other.Generation,
	})
}

// drainOf is how long before its end a connection of this age is drained. Connections that were made together are
// drained at different times.
func drainOf(age time.Duration) time.Duration {
	drain := age * (100 - drainPercent) / 100
	return drain - rand.N(drain*drainSpreadPercent/100+1) //nolint:gosec // spreads load, and is no secret
}

// beginStream begins the session of a stream that was opened with a token of its caller. Its end is planned, since a
// workload's token can be renewed.
func (i *workload) beginStream(token *verify.Token) (*conn.Session, error) {
	return i.beginTokenStream("stream", token, *token.Peer, true)
}

// beginUserStream begins the session of a stream that was opened for an end user, whose token no workload renews.
// It is nil where no token names one.
func (i *workload) beginUserStream(u *receivedUser) (*conn.Session, error) {
	if u == nil {
		return nil, nil
	}
	return i.beginTokenStream("stream of a user", u.token, principal.Peer{KeyID: u.token.KeyID}, false)
}

func (i *workload) beginTokenStream(
	what string, token *verify.Token, p principal.Peer, planned bool,
) (*conn.Session, error) {
	now := time.Now()
	age := min(token.End().Sub(now), maxTokenStream)
	life := conn.NewLifetime(now, age, age*(100-drainPercent)/100, 0)
	return i.begin(conn.Terms{
		What: what, Role: wire.RoleServer, Peer: p, Life: life, Planned: planned,
		Validity: i.validityOf(token), Generation: verify.Never,
	})
}

func (i *workload) begin(t conn.Terms) (*conn.Session, error) {
	s, err := i.sessions.Begin(t)
	if errors.Is(err, conn.ErrClosed) {
		return nil, fmt.Errorf("%w: %w", verify.ErrKeysUnavailable, err)
	}
	return s, err
}
