package issuer

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/quote"
)

// ErrUnknownClient is what a [Registry] says of a service that it does not know.
var ErrUnknownClient = errors.New("issuer: unknown client")

// Registry knows the services. It must be safe for concurrent use. What it returns should have passed [Client.Check]: for a
// service whose registration makes no sense, no token is made.
type Registry interface {
	// Client returns the service called id as it is registered now; from then on it is not changed. Whoever asks has not
	// proven to be that service yet. It must return soon after ctx has ended, 5 seconds after the request at the latest. The error is, or wraps, [ErrUnknownClient], or it says that the registry cannot be asked.
	Client(ctx context.Context, id string) (Client, error)
}

// Static is a [Registry] that never changes. [NewStatic] makes one.
type Static struct {
	clients   map[string]Client
	configErr error
}

// NewStatic returns the registry that holds clients, which must not be changed afterwards. Mistakes show in [Static.Check].
func NewStatic(clients ...Client) *Static {
	s := &Static{clients: make(map[string]Client, len(clients))}
	owners := map[string]string{}
	var errs []error
	for _, client := range clients {
		errs = append(errs, client.Check())
		if _, twice := s.clients[client.ID]; twice {
			errs = append(errs, fmt.Errorf("issuer: client %s is there twice; keep one", quote.Text(client.ID)))
		}
		s.clients[client.ID] = client
		keys, _ := client.keys() // whose error Check has found
		for kid := range keys {
			if owner, taken := owners[kid]; taken && owner != client.ID {
				errs = append(errs, fmt.Errorf("issuer: %s and %s have the same key %s; a key belongs to one service, so give each its own", quote.Text(owner), quote.Text(client.ID), kid))
			}
			owners[kid] = client.ID
		}
	}
	s.configErr = errors.Join(errs...)
	return s
}

// Check returns every mistake in the registrations, joined: those of each [Client.Check], a service that is there twice, a key
// that two services have.
func (s *Static) Check() error { return s.configErr }

// Client returns the service called id, or [ErrUnknownClient].
func (s *Static) Client(_ context.Context, id string) (Client, error) {
	client, ok := s.clients[id]
	if !ok {
		return Client{}, ErrUnknownClient
	}
	return client, nil
}
