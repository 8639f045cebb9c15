package keyset

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
)

const acceptKeys = "application/jwk-set+json, application/json"

// web is the source that is a URL.
type web struct {
	client  *httpdoc.Client
	address string
}

func (w *web) fetch(ctx context.Context, version string) (document, error) {
	d, err := w.client.Get(ctx, w.address, version, acceptKeys, maxBytes)
	if err != nil {
		return document{}, err
	}
	return document{text: d.Body, version: d.ETag, unchanged: d.Unchanged, refresh: refresh(d)}, nil
}

func (w *web) String() string { return w.address }

// refresh is when to fetch a document again: when the server says, within bounds.
func refresh(d httpdoc.Document) time.Duration {
	if !d.Stated {
		return defaultRefresh
	}
	return min(max(d.Fresh, minRefresh), maxRefresh)
}
