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

// The audit log has clients, keys, audiences, scopes, and hashes of users. It never contains a token or an assertion.

func (is *Issuer) auditToken(r *http.Request, c caller, w wish, m made) {
	attrs := []slog.Attr{
		slog.String("client", c.ID), slog.String("kid", c.keyID), slog.String("type", w.typ), slog.String("id", m.id),
		slog.String("audience", w.audience), slog.String("scope", strings.Join(w.scopes, " ")),
		slog.Time("expires", m.expires), slog.String("remote", r.RemoteAddr),
	}
	if w.user {
		attrs = append(attrs, slog.String("user", pseudonym(is.name, w.subject)))
	}
	if c.authority != "" {
		attrs = append(attrs, slog.String("authority", c.authority), slog.String("evidence", c.evidenceID))
	}
	is.config.logger.LogAttrs(r.Context(), slog.LevelInfo, "parley: token issued", attrs...)
}

// refusedKey identifies equal refusals: the same code and kind of cause, and the same client, or the same address if
// the client is not proven.
type refusedKey struct {
	who, code string
	cause     uint64
}

// refusals are the recent refusals. Those of proven clients are kept separately from the others.
type refusals struct {
	proven, unproven *recent.Events[refusedKey, struct{}]
}

func newRefusals() refusals {
	limits := recent.Limits{Entries: maxRefusals, Interval: logInterval, Lines: logBurst}
	return refusals{recent.New[refusedKey, struct{}](limits), recent.New[refusedKey, struct{}](limits)}
}

// auditRefusal logs a refusal. A repeated refusal is logged once per logInterval, with a count.
func (is *Issuer) auditRefusal(r *http.Request, c caller, why *refusal) {
	events, key := is.refused.proven, refusedKey{c.ID, why.code, recent.Kind(why.cause.Error())}
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

// pseudonym returns a hash of a user, which is the same in interceptors/auth. A reader who knows the user can find the
// log lines of the user in all services. Other readers cannot identify the user.
func pseudonym(issuer, subject string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return hex.EncodeToString(sum[:8])
}
