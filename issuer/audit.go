package issuer

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/recent"
)

// The audit log names clients, keys, audiences and scopes, and users by a hash. It never gets a token or an assertion.

func (is *Issuer) auditToken(r *http.Request, c caller, w wish, m made) {
	attrs := []slog.Attr{
		slog.String("client", c.ID), slog.String("kid", c.keyID), slog.String("type", w.typ), slog.String("id", m.id),
		slog.String("audience", w.audience), slog.String("scope", strings.Join(w.scopes, " ")),
		slog.Time("expires", m.expires), slog.String("remote", r.RemoteAddr),
	}
	if w.user {
		attrs = append(attrs, slog.String("user", pseudonym(is.name, w.subject)))
	}
	is.config.logger.LogAttrs(r.Context(), slog.LevelInfo, "parley: token issued", attrs...)
}

// refusedKey is what makes two refusals equal: of one client, or of one address where the client is not proven.
type refusedKey struct{ who, code string }

// refusals are the recent ones, of clients that proved themselves apart from others.
type refusals struct {
	proven, unproven *recent.Events[refusedKey, struct{}]
}

func newRefusals() refusals {
	limits := recent.Limits{Entries: maxRefusals, Interval: logInterval, Lines: logBurst}
	return refusals{recent.New[refusedKey, struct{}](limits), recent.New[refusedKey, struct{}](limits)}
}

// auditRefusal logs a refusal. One that repeats is logged once in a while, with how many were left out.
func (is *Issuer) auditRefusal(r *http.Request, c caller, why *refusal) {
	events, key := is.refused.proven, refusedKey{c.ID, why.code}
	if c.ID == "" {
		events = is.refused.unproven
		key.who, _, _ = net.SplitHostPort(r.RemoteAddr)
	}
	log, equal, others := events.Add(key, struct{}{}, time.Now())
	if !log {
		return
	}
	level := slog.LevelWarn
	if why.status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("error", why.code), slog.String("cause", quote.Cut(why.cause.Error(), maxCause)),
		slog.String("remote", r.RemoteAddr),
		slog.String("agent", quote.Cut(r.UserAgent(), maxCause)),
	}
	if equal > 0 {
		attrs = append(attrs, slog.Uint64("repeated", equal))
	}
	if others > 0 {
		attrs = append(attrs, slog.Uint64("others", others))
	}
	if c.ID != "" {
		attrs = append(attrs, slog.String("client", c.ID), slog.String("kid", c.keyID))
	}
	is.config.logger.LogAttrs(r.Context(), level, "parley: token refused", attrs...)
}

// pseudonym stands for a user, as that of interceptors/auth does: who knows the user finds the lines about him or her, in the
// logs of all services, and nobody else does.
func pseudonym(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return hex.EncodeToString(sum[:8])
}
