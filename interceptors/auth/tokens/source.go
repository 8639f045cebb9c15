package tokens

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/parley-rpc/parley/principal"
)

// Source yields the bearer tokens by which a client in token mode proves who it is. It is asked before every attempt,
// so it must keep what it has and be quick. It must be safe for concurrent use.
type Source interface {
	// Token returns a token that is meant for the server called audience and names this workload. Its error fails the call
	// with UNAVAILABLE and TOKEN_SOURCE_UNAVAILABLE.
	Token(ctx context.Context, audience principal.ID) (Token, error)
}

// Refresher is a [TokenSource] that learns when a server, which had proven itself, found a token to be expired.
type Refresher interface {
	// Refresh returns another token than the one that expired.
	Refresh(ctx context.Context, audience principal.ID, expired Token) (Token, error)
}

// Token is a bearer token. It prints without its value.
type Token struct {
	// Value is the compact JWS.
	Value string
	// Expires is its exp.
	Expires time.Time
}

// String tells when the token expires.
func (t Token) String() string { return "token until " + t.Expires.UTC().Format(time.RFC3339) }

// Format writes [Token.String] whatever the verb, so that no log shows the value.
func (t Token) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, t.String()) }

// LogValue is [Token.String].
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }
