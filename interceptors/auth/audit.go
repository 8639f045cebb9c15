package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/policy"

	"github.com/parley-rpc/parley/rpcerr"
)

// The audit log names IDs, keys, reasons and trust generations. It never gets a token, a proof or a channel binding.

func (i *Identity) auditHandshake(ctx context.Context, l *link, remote string) {
	i.tally.count(Outcome{ofHandshake, l.role, resultProven})
	i.log.LogAttrs(ctx, slog.LevelInfo, "parley: connection proven",
		slog.String("role", l.role), slog.String("peer", l.peer.ID.String()), slog.String("kid", l.peer.KeyID),
		slog.Uint64("generation", l.checked.Load()), slog.String("remote", remote), slog.Time("expires", l.peer.Expires))
}

// auditRefusal reports a handshake that failed. One that just broke off is worth a look only to those who look closely:
// anyone can cause any number of them.
func (i *Identity) auditRefusal(ctx context.Context, role, remote string, other proven, err error) {
	attrs := []slog.Attr{slog.String("role", role), slog.String("remote", remote), slog.String("cause", causeOf(err))}
	refusal := refusalOf(err)
	if refusal == nil {
		i.tally.count(Outcome{ofHandshake, role, resultBroken})
		i.log.LogAttrs(ctx, slog.LevelDebug, "parley: handshake broken off", attrs...)
		return
	}
	i.tally.count(Outcome{ofHandshake, role, string(refusal.Reason)})
	attrs = append(attrs, slog.String("reason", string(refusal.Reason)), slog.Uint64("generation", other.generation))
	if other.keyID != "" {
		attrs = append(attrs, slog.String("kid", other.keyID))
	}
	if !other.id.IsZero() {
		attrs = append(attrs, slog.String("peer", other.id.String()))
	}
	i.log.LogAttrs(ctx, slog.LevelWarn, "parley: handshake refused", attrs...)
}

// causeOf is why something was refused, cut to a length that a peer cannot fill the log with.
func causeOf(err error) string {
	text := err.Error()
	if refusal := refusalOf(err); refusal != nil && refusal.Cause != nil {
		text = refusal.Cause.Error()
	}
	if len(text) > maxCauseBytes {
		text = strings.ToValidUTF8(text[:maxCauseBytes], "") + "..."
	}
	return text
}

func (i *Identity) auditEnd(l *link, why string) {
	i.log.LogAttrs(context.Background(), slog.LevelInfo, "parley: credential ended", slog.String("of", l.what), slog.String("cause", why),
		slog.String("role", l.role), slog.String("peer", l.peer.ID.String()), slog.String("kid", l.peer.KeyID),
		slog.Uint64("generation", l.trust.generation()))
}

func (i *Identity) auditTrust(generation uint64, ended int) {
	i.log.LogAttrs(context.Background(), slog.LevelInfo, "parley: trust changed",
		slog.Uint64("generation", generation), slog.Int("ended", ended))
}

// auditClock reports that the wall clock was set, which ends everything that was remembered of tokens.
func (i *Identity) auditClock(step time.Duration) {
	i.log.LogAttrs(context.Background(), slog.LevelWarn, "parley: the clock was set; every token is checked anew", slog.Duration("by", step))
}

// auditReply reports an answer in token mode that is not to be believed.
func (i *Identity) auditReply(ctx context.Context, method string, err error) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(spanAttributes(err)...)
	}
	attrs := []slog.Attr{slog.String("method", method), slog.String("reason", string(rpcerr.ReasonOf(err)))}
	if refusal := refusalOf(err); refusal != nil && refusal.Cause != nil {
		attrs = append(attrs, slog.String("cause", causeOf(err)))
	}
	i.log.LogAttrs(ctx, slog.LevelWarn, "parley: answer refused", attrs...)
}

// auditCall says which policy refused a call, where one did.
func (g *Gate) auditCall(ctx context.Context, call Call, err error) {
	g.identity.tally.count(Outcome{ofCall, roleServer, string(rpcerr.ReasonOf(err))})
	g.identity.log.LogAttrs(ctx, slog.LevelWarn, "parley: call refused", refusalAttrs(call, err)...)
	g.noteRefusal(ctx, err)
}

// auditTrial tells of a call that passes and would not.
func (g *Gate) auditTrial(ctx context.Context, call Call, err error) {
	g.identity.log.LogAttrs(ctx, slog.LevelWarn, "parley: a policy on trial would refuse the call", refusalAttrs(call, err)...)
	g.noteTrial(ctx, err)
}

func refusalAttrs(call Call, err error) []slog.Attr {
	attrs := []slog.Attr{slog.String("method", call.Method), slog.String("reason", string(rpcerr.ReasonOf(err)))}
	if refusal, ok := errors.AsType[*rpcerr.Error](err); ok && refusal.Cause != nil {
		attrs = append(attrs, slog.String("cause", causeOf(err)))
	}
	if r, ok := errors.AsType[ruling](err); ok {
		attrs = append(attrs, slog.String("decided", r.source.String()))
	}
	if p := call.Peer; p != nil {
		attrs = append(attrs, slog.String("peer", p.ID.String()), slog.String("kid", p.KeyID))
	}
	if u := call.User; u != nil {
		attrs = append(attrs, slog.String("user", u.Pseudonym()), slog.String("user_issuer", u.Issuer))
		if u.Transaction != "" {
			attrs = append(attrs, slog.String("txn", u.Transaction))
		}
	}
	return attrs
}

// auditWarnings tells what may surprise in a policy.
func (i *Identity) auditWarnings(warnings []*policy.Mistake) {
	for _, w := range warnings {
		i.log.LogAttrs(context.Background(), slog.LevelWarn, "parley: the policy may surprise", slog.String("warning", w.Error()))
	}
}

// auditLate reports a handler that panicked after its stream was ended. Nobody above it is left to recover the panic, and
// the other calls of the process must not pay for it.
func (i *Identity) auditLate(ctx context.Context, method string, o outcome) {
	if o.panicked == nil {
		return
	}
	i.log.LogAttrs(ctx, slog.LevelError, "parley: a handler panicked after the end of its stream",
		slog.String("method", method), slog.Any("panic", o.panicked), slog.String("stack", string(o.stack)))
}
