package keyset

import (
	"context"
	"crypto/sha256"
	"encoding/base64"

	"github.com/parley-rpc/parley/internal/trustdir"
)

// file is a source that is a file, which may be replaced at any time.
type file string

// File is the source that is the file path. It is read every 5 seconds. Whoever may write it decides who is trusted, so the
// file and the directories above it must belong to root or to the user of this process, as those of a trust directory must.
func File(path string) Source { return file(path) }

func (f file) Fetch(_ context.Context, version string) (Document, error) {
	text, err := trustdir.ReadPublic(string(f), maxBytes)
	if err != nil {
		return Document{}, err
	}
	sum := sha256.Sum256(text)
	doc := Document{Text: text, Version: base64.RawURLEncoding.EncodeToString(sum[:]), Refresh: fileRefresh}
	if doc.Version == version {
		doc.Text, doc.Unchanged = nil, true
	}
	return doc, nil
}

func (f file) String() string { return string(f) }
