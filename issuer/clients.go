package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/issuer/store"
)

// Clients are the registrations in a [State]. They are a [Registry]. [State.Clients] returns them.
type Clients struct{ state *State }

// Clients returns the registrations of the state.
func (s *State) Clients() *Clients { return &Clients{s} }

// Client returns the registration of the service called id, or [ErrUnknownClient].
func (c *Clients) Client(ctx context.Context, id string) (Client, error) {
	r, err := c.state.records.Get(ctx, kindClients, id)
	if errors.Is(err, store.ErrNotFound) {
		return Client{}, ErrUnknownClient
	}
	if err != nil {
		return Client{}, err
	}
	return decodeClient(r)
}

// List returns up to limit registrations whose IDs follow after, in the order of the IDs. Every ID follows "".
func (c *Clients) List(ctx context.Context, after string, limit int) ([]Client, error) {
	list, err := c.state.records.List(ctx, kindClients, after, limit)
	if err != nil {
		return nil, fmt.Errorf("issuer: List: %w", err)
	}
	clients := make([]Client, len(list))
	for n, r := range list {
		if clients[n], err = decodeClient(r); err != nil {
			return nil, fmt.Errorf("issuer: List: %w", err)
		}
	}
	return clients, nil
}

// Register stores a registration. It replaces the one with the same ID. Register returns the mistakes of
// [Client.Check], and an error if a key belongs to another client or is revoked.
func (c *Clients) Register(ctx context.Context, client Client, reason string) error {
	if err := client.Check(); err != nil {
		return err
	}
	keys, _ := client.keys() // Check has returned its error
	event := &Event{Action: "register", Client: client.ID, Reason: reason}
	err := c.state.change(ctx, event, func(uint64) ([]store.Change, error) {
		if err := c.state.readRevocations(ctx); err != nil {
			return nil, err
		}
		for kid := range keys {
			if c.state.revoked.has("", kid) {
				return nil, fmt.Errorf("key %s of %s is revoked; make a new one", kid, quote.Text(client.ID))
			}
		}
		value := encodeClient(client)
		if len(value) > store.MaxValue {
			return nil, fmt.Errorf("the registration of %s has %d bytes; shorten it to %d", quote.Text(client.ID), len(value),
				store.MaxValue)
		}
		return c.replace(ctx, client.ID, slices.Collect(maps.Keys(keys)), value)
	}, func(uint64) {})
	if err != nil {
		return fmt.Errorf("issuer: Register: %w", err)
	}
	return nil
}

// Remove removes a registration. Its keys may then be registered for another service.
func (c *Clients) Remove(ctx context.Context, id, reason string) error {
	event := &Event{Action: "remove", Client: id, Reason: reason}
	err := c.state.change(ctx, event, func(uint64) ([]store.Change, error) {
		return c.replace(ctx, id, nil, nil)
	}, func(uint64) {})
	if err != nil {
		return fmt.Errorf("issuer: Remove: %w", err)
	}
	return nil
}

// replace returns the changes that give a client a value and keys, or remove it if the value is nil. Each key has a
// record with its owner, so that it belongs to one client.
func (c *Clients) replace(ctx context.Context, id string, keys []string, value []byte) ([]store.Change, error) {
	old, err := c.state.records.Get(ctx, kindClients, id)
	switch {
	case errors.Is(err, store.ErrNotFound) && value == nil:
		return nil, ErrUnknownClient
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	changes := []store.Change{{Kind: kindClients, Name: id, Version: old.Version, Value: value, Delete: value == nil}}
	var before []string
	if old.Version != 0 {
		client, err := decodeClient(old)
		if err != nil {
			return nil, err
		}
		held, err := client.keys()
		if err != nil {
			return nil, err
		}
		before = slices.Collect(maps.Keys(held))
	}
	for _, kid := range before {
		if slices.Contains(keys, kid) {
			continue
		}
		r, err := c.state.records.Get(ctx, kindClientKeys, kid)
		if err != nil {
			return nil, fmt.Errorf("the owner of key %s: %w", kid, err)
		}
		changes = append(changes, store.Change{Kind: kindClientKeys, Name: kid, Version: r.Version, Delete: true})
	}
	for _, kid := range keys {
		r, err := c.state.records.Get(ctx, kindClientKeys, kid)
		switch {
		case errors.Is(err, store.ErrNotFound):
			changes = append(changes, store.Change{Kind: kindClientKeys, Name: kid, Value: []byte(id)})
		case err != nil:
			return nil, err
		case string(r.Value) != id:
			return nil, fmt.Errorf("key %s belongs to %s; a key belongs to one service, so give each its own", kid,
				quote.Text(string(r.Value)))
		}
	}
	return changes, nil
}

// clientRecord is a stored registration.
type clientRecord struct {
	JWKS     json.RawMessage `json:"jwks"`
	Own      grantRecord     `json:"own"`
	Users    grantRecord     `json:"users"`
	Identity bool            `json:"identity,omitempty"`
	Claims   map[string]any  `json:"claims,omitempty"`
}

type grantRecord struct {
	Audiences []string `json:"audiences,omitempty"`
	Scopes    []string `json:"scopes,omitempty"`
}

func encodeClient(c Client) []byte {
	return encode(clientRecord{
		JWKS: c.JWKS, Own: grantRecord(c.Own), Users: grantRecord(c.Users), Identity: c.Identity, Claims: c.Claims,
	})
}

func decodeClient(r store.Record) (Client, error) {
	var record clientRecord
	if err := decodeStrictly(r.Value, &record); err != nil {
		return Client{}, fmt.Errorf("the registration of %s: %w", quote.Text(r.Name), err)
	}
	c := Client{
		ID: r.Name, JWKS: record.JWKS, Own: Grant(record.Own), Users: Grant(record.Users), Identity: record.Identity,
	}
	for name, value := range record.Claims {
		typed, err := decodeClaim(value)
		if err != nil {
			return Client{}, fmt.Errorf("the registration of %s: claim %s: %w", quote.Text(r.Name), quote.Text(name), err)
		}
		if c.Claims == nil {
			c.Claims = map[string]any{}
		}
		c.Claims[name] = typed
	}
	return c, nil
}

// decodeClaim returns a value of a type that [Client.Claims] may have.
func decodeClaim(value any) (any, error) {
	switch v := value.(type) {
	case string, bool:
		return v, nil
	case json.Number:
		n, err := strconv.Atoi(v.String())
		return n, err
	case []any:
		list := make([]string, len(v))
		for n, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, errors.New("a list has an item that is no string")
			}
			list[n] = text
		}
		return list, nil
	default:
		return nil, errors.New("it is no string, bool, int or list of strings")
	}
}
