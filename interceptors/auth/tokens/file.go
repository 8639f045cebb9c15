package tokens

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/tokenfile"
	"github.com/parley-rpc/parley/principal"
)

// FileSource is a [TokenSource] that is a file, such as a projected service account token of Kubernetes or what an
// agent writes. [File] makes one.
type FileSource struct {
	path    string
	servers []principal.Pattern
}

// File returns the source that is the file path, in which a single token lies. It is read whenever a token is asked
// for, so put it behind [Keep], which asks every 30 seconds: a file that is replaced, or a symbolic link that is
// exchanged, counts from then on, and a file that makes no sense leaves the token that was there before.
//
// The token is shown to those servers alone that its aud names by their ID. Where aud names something else, servers
// lists those that it may be shown to.
func File(path string, servers ...principal.Pattern) *FileSource {
	return &FileSource{path: path, servers: slices.Clone(servers)}
}

// Token reads the file. The error says what is wrong with it, and never what is in it.
func (f *FileSource) Token(_ context.Context, audience principal.ID) (Token, error) {
	value, err := tokenfile.Read(f.path)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: token file %s: %w", f.path, err)
	}
	token, err := heldTokenFor(value, audience, f.servers)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: token file %s: %w", f.path, err)
	}
	return token, nil
}

// String names the file.
func (f *FileSource) String() string { return fmt.Sprintf("tokens.File(%q)", f.path) }

func (*FileSource) pollInterval() time.Duration { return filePoll }

// TextSource is a [TokenSource] with one token that never changes, for tests and tools.
type TextSource struct {
	value   string
	servers []principal.Pattern
}

// Text returns the source of one token. Whom it is shown to is said as for [File].
func Text(token string, servers ...principal.Pattern) *TextSource {
	return &TextSource{value: token, servers: slices.Clone(servers)}
}

// Token returns the token, until it has expired.
func (s *TextSource) Token(_ context.Context, audience principal.ID) (Token, error) {
	token, err := heldTokenFor(s.value, audience, s.servers)
	if err != nil {
		return Token{}, fmt.Errorf("tokens: Text: %w", err)
	}
	return token, nil
}

// String names the source without the token.
func (*TextSource) String() string { return "tokens.Text" }

// Format writes [StaticToken.String] whatever the verb.
func (s *TextSource) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// heldTokenFor returns a token that this workload holds, if it may be shown to audience. A holder does not check its
// own token: only the peers of its issuer have the keys.
func heldTokenFor(value string, audience principal.ID, servers []principal.Pattern) (Token, error) {
	claims, err := jose.Unproven(value)
	if err != nil {
		return Token{}, fmt.Errorf("want one token in its compact form: %w", err)
	}
	expires, ok, err := claims.NumericDate("exp")
	if err != nil || !ok {
		return Token{}, errors.New("exp is missing or no time; use a token that expires")
	}
	if !time.Now().Before(expires) {
		return Token{}, errExpired
	}
	if !audience.IsZero() {
		named, _ := claims.Strings("aud")
		if !slices.Contains(named, audience.String()) && !principal.MatchesAny(servers, audience) {
			return Token{}, fmt.Errorf("it is not meant for %s, and so is not shown to it; "+
				"get one with that audience, or name the server where the source is made", audience)
		}
	}
	return Token{Value: value, Expires: expires}, nil
}
