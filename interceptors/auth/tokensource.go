package auth

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// TokenSource yields the bearer tokens by which a client in token mode proves who it is. It is asked before every attempt, so
// it must keep what it has and be quick. It must be safe for concurrent use.
type TokenSource interface {
	// Token returns a token that is meant for the server called audience and names this workload. Its error fails the call with
	// UNAVAILABLE and TOKEN_SOURCE_UNAVAILABLE.
	Token(ctx context.Context, audience ID) (Token, error)
}

// TokenRefresher is a [TokenSource] that learns when a server, which had proven itself, found a token to be expired.
type TokenRefresher interface {
	// Refresh returns another token than the one that expired.
	Refresh(ctx context.Context, audience ID, expired Token) (Token, error)
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

// selfSigned is the TokenSource of a workload whose key the server trusts by itself: it signs its own tokens.
type selfSigned struct {
	identity *Identity

	mu     sync.Mutex
	tokens map[ID]Token
}

func (s *selfSigned) Token(_ context.Context, audience ID) (Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[audience]; time.Until(t.Expires) > selfSignedLifetime/4 {
		return t, nil
	}
	return s.sign(audience)
}

// Refresh signs a new token unless that has been done meanwhile.
func (s *selfSigned) Refresh(_ context.Context, audience ID, expired Token) (Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[audience]; t.Value != expired.Value && t.Value != "" {
		return t, nil
	}
	return s.sign(audience)
}

// sign runs with the lock held.
func (s *selfSigned) sign(audience ID) (Token, error) {
	expires := time.Now().Add(selfSignedLifetime)
	value, err := s.identity.Token(audience, nil, selfSignedLifetime)
	if err != nil {
		return Token{}, err
	}
	if s.tokens == nil {
		s.tokens = make(map[ID]Token, 1)
	}
	s.tokens[audience] = Token{Value: value, Expires: expires}
	return s.tokens[audience], nil
}
