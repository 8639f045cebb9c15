package issuer

import (
	"context"
	"errors"
	"fmt"

	"github.com/parley-rpc/parley/internal/quote"
)

// ErrUnknownClient is the error of a [Registry] for an unknown service.
var ErrUnknownClient = errors.New("issuer: unknown client")

// Registry has the registrations of the services. It must be safe for concurrent use. Its registrations should pass
// [Client.Check], because the issuer refuses services with an invalid registration.
type Registry interface {
	// Client returns the present registration of the service with this ID. The result must not be modified afterwards. The
	// caller of the issuer has not proven to be that service yet. Client must return soon after ctx has ended, at most 5
	// seconds after the request. Its error wraps [ErrUnknownClient], or means that the registry is not available.
	Client(ctx context.Context, id string) (Client, error)
}

// Static is a [Registry] with fixed registrations. Make one with [NewStatic].
type Static struct {
	clients   map[string]Client
	configErr error
}

// NewStatic returns a registry with these clients, which must not be modified afterwards. [Static.Check] returns the
// mistakes.
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
		keys, _ := client.keys() // Check has reported its error
		for kid := range keys {
			if owner, taken := owners[kid]; taken && owner != client.ID {
				errs = append(
					errs,
					fmt.Errorf(
						"issuer: %s and %s have the same key %s; a key belongs to one service, so give each its own", quote.Text(owner),
						quote.Text(client.ID), kid,
					),
				)
			}
			owners[kid] = client.ID
		}
	}
	s.configErr = errors.Join(errs...)
	return s
}

// Check returns every mistake in the registrations, joined: the mistakes of each [Client.Check], duplicate services,
// and keys of two services.
func (s *Static) Check() error { return s.configErr }

// Client returns the service called id, or [ErrUnknownClient].
func (s *Static) Client(_ context.Context, id string) (Client, error) {
	client, ok := s.clients[id]
	if !ok {
		return Client{}, ErrUnknownClient
	}
	return client, nil
}
