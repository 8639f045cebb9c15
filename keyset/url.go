package keyset

import (
	"context"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
)

const acceptKeys = "application/jwk-set+json, application/json"

// web is the source that is a URL. It is fetched again when the server's max-age says, within bounds.
type web struct {
	client  *httpdoc.Client
	address string
}

// newWeb returns the source at an address, or says what is wrong with the address.
func newWeb(client *httpdoc.Client, address string) (source, error) {
	if err := client.CheckURL(address); err != nil {
		return nil, err
	}
	return &web{client: client, address: address}, nil
}

func (w *web) fetch(ctx context.Context, version string) (document, error) {
	d, err := w.client.Get(ctx, w.address, version, acceptKeys, maxBytes)
	if err != nil {
		return document{}, err
	}
	return document{text: d.Body, version: d.ETag, unchanged: d.Unchanged, refresh: refresh(d.MaxAge)}, nil
}

func (w *web) String() string { return w.address }

func refresh(maxAge time.Duration) time.Duration {
	if maxAge == 0 {
		return defaultRefresh
	}
	return min(max(maxAge, minRefresh), maxRefresh)
}
