package keyset

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"github.com/parley-rpc/parley/internal/safepath"
)

// file is the source that is a file, which may be replaced at any time. The right to write it is the right to decide
// who is trusted, so it is read as the files of a trust directory are.
type file string

func (f file) fetch(_ context.Context, version string) (document, error) {
	text, err := safepath.New().ReadPublic(string(f), maxBytes)
	if err != nil {
		return document{}, err
	}
	sum := sha256.Sum256(text)
	doc := document{text: text, version: base64.RawURLEncoding.EncodeToString(sum[:]), refresh: fileRefresh}
	if doc.version == version {
		doc.text, doc.unchanged = nil, true
	}
	return doc, nil
}

func (f file) String() string { return string(f) }
