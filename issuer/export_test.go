package issuer

import (
	"context"
	"time"
)

// Replays is the memory of assertions.
type Replays struct{ r *replays }

// NewReplays returns an empty one.
func NewReplays() Replays { return Replays{newReplays()} }

// Use notes an assertion.
func (r Replays) Use(client, id string) (fresh, full bool) {
	return r.r.use(assertionID{client, id}, time.Now())
}

// Len is how many assertions are remembered.
func (r Replays) Len() int { return max(len(r.r.seen), len(r.r.queue)) }

// Meter is the memory of rates.
type Meter struct{ m *meter }

// NewMeter returns an empty one.
func NewMeter(rate, burst int) Meter { return Meter{newMeter(rate, burst)} }

// Take counts a request.
func (m Meter) Take(client string) { m.m.take(client, time.Now()) }

// Len is how many services are remembered.
func (m Meter) Len() int { return len(m.m.full) }

// ParseForm takes a form apart.
func ParseForm(body string) (map[string]string, error) { return parseForm(body) }

// VerifyUser checks the token of a user that client has sent.
func VerifyUser(ctx context.Context, is *Issuer, compact, client string) error {
	_, err := is.users.verify(ctx, compact, client)
	return err
}
