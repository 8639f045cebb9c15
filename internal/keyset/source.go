package keyset

import (
	"context"
	"time"
)

// Source is where a set comes from. A [Set] makes one call at a time.
type Source interface {
	// Fetch returns the set, or says that it is unchanged since the version, which is that of the last document that was
	// accepted, or "". It returns soon after ctx has ended.
	Fetch(ctx context.Context, version string) (Document, error)
	// String names the source.
	String() string
}

// Document is what a source holds.
type Document struct {
	// Text is a JWK Set. It is empty when the document is Unchanged.
	Text []byte
	// Version names this state of it, or is "".
	Version string
	// Unchanged says that the set is the one of the version that was given.
	Unchanged bool
	// Refresh is when to ask again. Zero means never: the set can only be this one, and does not become too old.
	Refresh time.Duration
	// Expires is the end that the set has by itself. Zero means that it has none.
	Expires time.Time
}

// static is a source that never changes.
type static []byte

// Static is the source that holds text and nothing else, ever.
func Static(text []byte) Source { return static(text) }

func (s static) Fetch(context.Context, string) (Document, error) { return Document{Text: s}, nil }

func (static) String() string { return "static" }
