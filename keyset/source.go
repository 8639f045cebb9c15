package keyset

import (
	"context"
	"time"
)

// source is where a set comes from. A [Set] makes one call at a time.
type source interface {
	// fetch returns the set, or says that it is unchanged since the version, which is that of the last document that was
	// accepted, or "". It returns soon after ctx has ended.
	fetch(ctx context.Context, version string) (document, error)
	// String names the source.
	String() string
}

// document is what a source holds.
type document struct {
	text      []byte        // a JWK Set; empty when the document is unchanged
	version   string        // names this state of it, or is ""
	unchanged bool          // the set is the one of the version that was given
	refresh   time.Duration // when to ask again; zero means never: the set can only be this one, and does not become too old
	expires   time.Time     // the end that the set has by itself; zero means none
}

// static is a source that never changes.
type static []byte

func (s static) fetch(context.Context, string) (document, error) { return document{text: s}, nil }

func (static) String() string { return "static" }
