package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-rpc/parley/interceptors/auth/internal/conn"
	"github.com/parley-rpc/parley/internal/decide"
	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/vocabulary"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/rpcerr"
)

// What a Refusal is of, beside ofHandshake and ofCall.
const (
	ofAnswer = "answer"
	ofTrial  = "trial"
)

// The audit log names IDs, keys, reasons and trust generations. It never gets a token, a proof or a channel binding.

func (i *workload) auditHandshake(ctx context.Context, l *conn.Session, remote string) {
	i.counters.count(Outcome{ofHandshake, l.Role, resultProven})
	i.log.LogAttrs(ctx, slog.LevelInfo, "parley: connection proven",
		slog.String("role", l.Role), slog.String("peer", l.Peer.ID.String()), slog.String("kid", l.Peer.KeyID),
		slog.Uint64("generation", l.Checked()), slog.String("remote", remote), slog.Time("expires", l.Peer.Expires))
}

// auditRefusal reports a handshake that failed. One that just broke off is worth a look only to those who look closely:
// anyone can cause any number of them.
func (i *workload) auditRefusal(ctx context.Context, role, remote string, other verify.Proven, err error) {
	refusal := refusalOf(err)
	if refusal == nil {
		i.counters.count(Outcome{ofHandshake, role, resultBroken})
		i.log.LogAttrs(ctx, slog.LevelDebug, "parley: handshake broken off",
			slog.String("role", role), slog.String("remote", remote), slog.String("cause", causeOf(err)))
		return
	}
	i.counters.count(Outcome{ofHandshake, role, string(refusal.Reason)})
	i.report(ctx, "parley: handshake refused", Refusal{
		Of: ofHandshake, Role: role, Reason: refusal.Reason, Cause: causeOf(err), Address: remote, Peer: other.ID,
		KeyID: other.KeyID,
	}, slog.Uint64("generation", other.Generation))
}

// warnings is a handler that leaves out what is less than a warning.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// causeOf is why something was refused, cut to a length that a peer cannot fill the log with.
func causeOf(err error) string {
	text := err.Error()
	if refusal := refusalOf(err); refusal != nil && refusal.Cause != nil {
		text = refusal.Cause.Error()
	}
	return quote.Cut(text, maxCauseBytes)
}

func (i *workload) auditEnd(l *conn.Session, why string) {
	attrs := []slog.Attr{
		slog.String("of", l.What), slog.String("cause", why), slog.String("role", l.Role),
		slog.String("peer", l.Peer.ID.String()), slog.String("kid", l.Peer.KeyID),
	}
	if generation := l.Validity.Generation(); generation != verify.Never {
		attrs = append(attrs, slog.Uint64("generation", generation))
	}
	i.log.LogAttrs(context.Background(), slog.LevelInfo, "parley: credential ended", attrs...)
}

func (i *workload) auditTrust(generation uint64, ended int) {
	i.log.LogAttrs(context.Background(), slog.LevelInfo, "parley: trust changed",
		slog.Uint64("generation", generation), slog.Int("ended", ended))
}

// auditClock reports that the wall clock was set, which ends everything that was remembered of tokens.
func (i *workload) auditClock(step time.Duration) {
	i.log.LogAttrs(context.Background(), slog.LevelWarn, "parley: the clock was set; every token is checked anew",
		slog.Duration("by", step))
}

// auditReply reports an answer in token mode that is not to be believed.
func (i *workload) auditReply(ctx context.Context, method string, err error) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(spanAttributes(err)...)
	}
	r := Refusal{Of: ofAnswer, Role: wire.RoleClient, Method: method, Reason: rpcerr.ReasonOf(err)}
	if refusal := refusalOf(err); refusal != nil && refusal.Cause != nil {
		r.Cause = causeOf(err)
	}
	i.report(ctx, "parley: answer refused", r)
}

// Refusals returns the recent refusals, the newest first. Equal ones are counted in one entry: of one peer, or of one
// address where the peer is not proven, and one user, for one reason, one method and causes that differ at most in
// numbers and quoted text. The newest 128 entries of proven peers are kept, and as many of others, so that neither
// displaces the other.
func (i *workload) Refusals() []Refusal { return i.refused.list() }

// report keeps a refusal, and logs it if it is its turn.
func (i *workload) report(ctx context.Context, message string, r Refusal, attrs ...slog.Attr) {
	log, equal, others := i.refused.add(r, time.Now())
	if !log {
		return
	}
	if equal > 0 {
		attrs = append(attrs, slog.Uint64("repeated", equal))
	}
	if others > 0 {
		attrs = append(attrs, slog.Uint64("others", others))
	}
	i.log.LogAttrs(ctx, slog.LevelWarn, message, append(r.attrs(), attrs...)...)
}

// refusalOfCall is what is known of a refused call and its caller.
func refusalOfCall(ctx context.Context, of string, call policy.Call, err error) Refusal {
	r := Refusal{
		Of: of, Role: wire.RoleServer, Method: quote.Cut(call.Method, maxAgentBytes),
		Reason: rpcerr.ReasonOf(err), Address: addressOf(ctx),
		Agent: agentOf(ctx),
	}
	if refusal := refusalOf(err); refusal != nil && refusal.Cause != nil {
		r.Cause = causeOf(err)
	}
	if decided, ok := errors.AsType[decide.Decision](err); ok {
		r.Decided = decided.Source().String()
	}
	if call.Peer != nil {
		r.Peer, r.KeyID = call.Peer.ID, call.Peer.KeyID
	}
	if call.User != nil {
		r.User = call.User.Pseudonym()
	}
	return r
}

func userAttrs(call policy.Call) []slog.Attr {
	if call.User == nil {
		return nil
	}
	attrs := []slog.Attr{slog.String("user_issuer", call.User.Issuer)}
	if call.User.Transaction != "" {
		attrs = append(attrs, slog.String("txn", call.User.Transaction))
	}
	return attrs
}

// auditWarning reports what may surprise in a policy.
func (i *workload) auditWarning(w *policy.Mistake) {
	i.log.LogAttrs(context.Background(), slog.LevelWarn, "parley: the policy may surprise",
		slog.String("warning", w.Error()))
}

// auditLate reports a handler that panicked after its stream was ended. Nobody above it is left to recover the panic,
// and the other calls of the process must not pay for it.
func (i *workload) auditLate(ctx context.Context, method string, panicked any, stack []byte) {
	if panicked == nil {
		return
	}
	i.log.LogAttrs(ctx, slog.LevelError, "parley: a handler panicked after the end of its stream",
		slog.String("method", method), slog.Any("panic", panicked), slog.String("stack", string(stack)))
}

func spanAttributes(err error) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String(vocabulary.AttrAuthReason, string(rpcerr.ReasonOf(err)))}
	if refusal, ok := errors.AsType[*rpcerr.Error](err); ok && refusal.Cause != nil {
		attrs = append(attrs, attribute.String(vocabulary.AttrAuthCause, causeOf(err)))
	}
	if r, ok := errors.AsType[decide.Decision](err); ok {
		attrs = append(attrs, attribute.String(vocabulary.AttrAuthDecided, r.Source().String()))
	}
	return attrs
}
