package auth

import (
	"context"
	"log/slog"
	"time"
)

// renewal is the goroutine that looks whether the workload's own key or identity token was replaced.
type renewal struct {
	cancel  context.CancelFunc
	stopped chan struct{}
}

// startRenewal runs with the lock held, once.
func (i *workload) startRenewal() {
	ctx, cancel := context.WithCancel(context.Background())
	r := &renewal{cancel: cancel, stopped: make(chan struct{})}
	i.renewal = r
	go func() {
		defer close(r.stopped)
		i.renew(ctx)
	}()
}

func (r *renewal) stop() {
	if r != nil {
		r.cancel()
		<-r.stopped
	}
}

// renew makes handshakes and tokens use what is new, from the next one on.
func (i *workload) renew(ctx context.Context) {
	ticker := time.NewTicker(ownReread)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		before := i.ready.Load()
		if before == nil {
			return // closed
		}
		next, err := i.kind.renew(ctx, i, before)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && err.Error() != said:
			said = err.Error()
			i.log.LogAttrs(ctx, slog.LevelError, "parley: own credential not renewed; the old one stays in use",
				slog.String("kid", before.key.Public().Thumbprint()), slog.String("cause", said))
		case err == nil:
			said = ""
		}
		if next != nil {
			i.use(ctx, next)
		}
	}
}

// use makes c current, unless the identity was closed meanwhile. Servers that have refused the old credential may be
// tried again at once.
func (i *workload) use(ctx context.Context, c *ownCredentials) {
	i.mu.Lock()
	before := i.ready.Load()
	if !i.closed {
		i.ready.Store(c)
	}
	closed := i.closed
	i.mu.Unlock()
	if closed {
		return
	}
	attrs := []slog.Attr{slog.String("kid", c.key.Public().Thumbprint())}
	if !c.expires.IsZero() {
		attrs = append(attrs, slog.Time("expires", c.expires))
	}
	if before.key.Public().Thumbprint() != c.key.Public().Thumbprint() {
		// The old key may soon be trusted no longer, so no connection should rest on it.
		attrs = append(attrs, slog.Int("draining", i.sessions.Drain(before.key, keyDrain, streamLead)))
	}
	i.log.LogAttrs(ctx, slog.LevelInfo, "parley: own credential renewed", attrs...)
	i.followers.tell()
}
