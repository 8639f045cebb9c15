package keyset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/parley-rpc/parley/internal/httpdoc"
	"github.com/parley-rpc/parley/internal/strictjson"
)

// discovery is the source that an OpenID provider names as jwks_uri in its discovery document (OpenID Connect Discovery
// 1.0 section 4). The document must state the issuer byte for byte as it was given. It is fetched again once an hour,
// and after a fetch of the keys that failed.
type discovery struct {
	client *httpdoc.Client
	issuer string
	keys   *web      // nil until it was found
	found  time.Time // when; zero after a failure
}

func (d *discovery) fetch(ctx context.Context, version string) (document, error) {
	if d.keys == nil || d.found.IsZero() || time.Since(d.found) >= discoveryRefresh {
		keys, err := d.find(ctx)
		switch {
		case err == nil:
			if d.keys != nil && d.keys.address != keys.address {
				version = "" // of another document
			}
			d.keys, d.found = keys, time.Now()
		case d.keys == nil:
			return document{}, err
		}
	}
	doc, err := d.keys.fetch(ctx, version)
	if err != nil {
		d.found = time.Time{}
		return doc, d.explain(err)
	}
	return doc, nil
}

// explain names the remedy where the keys are on a host that asks for the bearer token and must not see it: the
// discovery document may name any host, and the token belongs to the issuer's.
func (d *discovery) explain(err error) error {
	status, refused := errors.AsType[*httpdoc.StatusError](err)
	if !refused || status.Code != http.StatusUnauthorized && status.Code != http.StatusForbidden ||
		!d.client.ShowsBearer(d.issuer) || d.client.ShowsBearer(d.keys.address) {
		return err
	}
	return fmt.Errorf(
		"%w; the bearer token is shown to the host of the issuer alone, and jwks_uri in its discovery document "+
			"is on another; fetch the keys by their URL instead",
		err,
	)
}

func (d *discovery) find(ctx context.Context) (*web, error) {
	address := strings.TrimSuffix(d.issuer, "/") + "/.well-known/openid-configuration"
	found, err := d.client.Get(ctx, address, "", "application/json", maxDiscovery)
	if err != nil {
		return nil, err
	}
	members, err := strictjson.ReadDocument(bytes.TrimPrefix(found.Body, byteOrderMark))
	if err != nil {
		return nil, fmt.Errorf("keyset: discovery document of %s: %w", d.issuer, err)
	}
	if issuer, _ := members.String("issuer"); issuer != d.issuer {
		return nil, fmt.Errorf(
			"keyset: the discovery document of %s is that of another issuer; state the issuer exactly as the provider does",
			d.issuer,
		)
	}
	keys, _ := members.String("jwks_uri")
	if err := d.client.CheckURL(keys); err != nil {
		return nil, fmt.Errorf("keyset: jwks_uri in the discovery document of %s: %w", d.issuer, err)
	}
	return &web{client: d.client, address: keys}, nil
}

func (d *discovery) String() string { return d.issuer }
