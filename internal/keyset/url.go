package keyset

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
)

const acceptKeys = "application/jwk-set+json, application/json"

// web is a source that is a URL.
type web struct {
	client  *httpdoc.Client
	address string
}

// URL is the source that is the document at address. It is fetched again when the server says (max-age), but not before a
// minute and not after an hour, and after 5 minutes when it does not say. The error says what is wrong with the address.
func URL(client *httpdoc.Client, address string) (Source, error) {
	if err := client.CheckURL(address); err != nil {
		return nil, err
	}
	return &web{client: client, address: address}, nil
}

func (w *web) Fetch(ctx context.Context, version string) (Document, error) {
	d, err := w.client.Get(ctx, w.address, version, acceptKeys, maxBytes)
	if err != nil {
		return Document{}, err
	}
	return Document{Text: d.Body, Version: d.ETag, Unchanged: d.Unchanged, Refresh: refresh(d.MaxAge)}, nil
}

func (w *web) String() string { return w.address }

func refresh(maxAge time.Duration) time.Duration {
	if maxAge == 0 {
		return defaultRefresh
	}
	return min(max(maxAge, minRefresh), maxRefresh)
}
