package issuerserver

import (
	"context"
	"errors"
	"io"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	issuerv1 "github.com/parley-rpc/parley/gen/parley/issuer/v1"
	"github.com/parley-rpc/parley/issuer"
)

const (
	// statusEvents is the number of events in a status.
	statusEvents = 20
	// clientsPage is the number of clients in a page.
	clientsPage = 100
	// backupPart is the size of a part of a backup, in bytes.
	backupPart = 64 << 10
)

// operators is the service of operators.
type operators struct {
	issuerv1.UnimplementedAdminServiceServer
	name  string
	state *issuer.State
}

// failed gives an error a status. Operators may read it.
func failed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, issuer.ErrUnknownClient):
		return status.Error(codes.NotFound, err.Error())
	default:
		return status.Error(codes.FailedPrecondition, err.Error())
	}
}

func (o *operators) GetStatus(
	ctx context.Context, _ *issuerv1.GetStatusRequest,
) (*issuerv1.GetStatusResponse, error) {
	revocations, err := o.state.Revocations(ctx)
	if err != nil {
		return nil, failed(err)
	}
	answer := &issuerv1.GetStatusResponse{Issuer: o.name}
	for _, key := range o.state.Keys().State() {
		k := &issuerv1.Key{KeyId: key.KeyID, Use: key.Use}
		if !key.Until.IsZero() {
			k.Until = timestamppb.New(key.Until)
		}
		answer.Keys = append(answer.Keys, k)
	}
	for _, r := range revocations {
		answer.Revocations = append(answer.Revocations, &issuerv1.Revocation{
			Client: r.Client, KeyId: r.KeyID, Reason: r.Reason, At: timestamppb.New(r.At),
		})
	}
	last, err := o.state.LastEvents(ctx, statusEvents)
	for _, e := range last {
		answer.Events = append(answer.Events, &issuerv1.Event{
			Number: e.Number, At: timestamppb.New(e.At), Actor: e.Actor, Action: e.Action, Client: e.Client, KeyId: e.KeyID,
			Reason: e.Reason,
		})
	}
	return answer, failed(err)
}

func (o *operators) Rotate(ctx context.Context, _ *issuerv1.RotateRequest) (*issuerv1.RotateResponse, error) {
	signs, err := o.state.Rotate(ctx)
	if err != nil {
		return nil, failed(err)
	}
	return &issuerv1.RotateResponse{Signs: timestamppb.New(signs)}, nil
}

func (o *operators) Revoke(ctx context.Context, r *issuerv1.RevokeRequest) (*issuerv1.RevokeResponse, error) {
	err := o.state.Revoke(ctx, issuer.Revocation{Client: r.GetClient(), KeyID: r.GetKeyId(), Reason: r.GetReason()})
	return &issuerv1.RevokeResponse{}, failed(err)
}

func (o *operators) Reinstate(
	ctx context.Context, r *issuerv1.ReinstateRequest,
) (*issuerv1.ReinstateResponse, error) {
	return &issuerv1.ReinstateResponse{}, failed(o.state.Reinstate(ctx, r.GetClient(), r.GetReason()))
}

func (o *operators) Register(ctx context.Context, r *issuerv1.RegisterRequest) (*issuerv1.RegisterResponse, error) {
	client, err := clientOf(r.GetClient(), r.GetRegistration())
	if err == nil {
		err = o.state.Clients().Register(ctx, client, r.GetReason())
	}
	return &issuerv1.RegisterResponse{}, failed(err)
}

func (o *operators) RemoveClient(
	ctx context.Context, r *issuerv1.RemoveClientRequest,
) (*issuerv1.RemoveClientResponse, error) {
	return &issuerv1.RemoveClientResponse{}, failed(o.state.Clients().Remove(ctx, r.GetClient(), r.GetReason()))
}

func (o *operators) ListClients(
	ctx context.Context, r *issuerv1.ListClientsRequest,
) (*issuerv1.ListClientsResponse, error) {
	list, err := o.state.Clients().List(ctx, r.GetAfter(), clientsPage)
	if err != nil {
		return nil, failed(err)
	}
	answer := &issuerv1.ListClientsResponse{More: len(list) == clientsPage}
	for _, c := range list {
		registration, err := registrationOf(c)
		if err != nil {
			return nil, failed(err)
		}
		answer.Clients = append(answer.Clients, &issuerv1.RegisteredClient{Client: c.ID, Registration: registration})
	}
	return answer, nil
}

func (o *operators) Backup(
	_ *issuerv1.BackupRequest, stream grpc.ServerStreamingServer[issuerv1.BackupResponse],
) error {
	return failed(o.state.Backup(stream.Context(), parts{stream}))
}

// parts writes a backup as the messages of a stream.
type parts struct {
	stream grpc.ServerStreamingServer[issuerv1.BackupResponse]
}

var _ io.Writer = parts{}

func (p parts) Write(text []byte) (written int, err error) {
	for len(text) > 0 {
		n := min(len(text), backupPart)
		if err := p.stream.Send(&issuerv1.BackupResponse{Part: text[:n]}); err != nil {
			return written, err
		}
		text, written = text[n:], written+n
	}
	return written, nil
}

// clientOf returns the client of a registration.
func clientOf(id string, r *issuerv1.Registration) (issuer.Client, error) {
	c := issuer.Client{
		ID: id, JWKS: []byte(r.GetJwks()),
		Own:      issuer.Grant{Audiences: r.GetOwn().GetAudiences(), Scopes: r.GetOwn().GetScopes()},
		Users:    issuer.Grant{Audiences: r.GetUsers().GetAudiences(), Scopes: r.GetUsers().GetScopes()},
		Identity: r.GetIdentity(),
	}
	for name, value := range r.GetClaims() {
		if c.Claims == nil {
			c.Claims = map[string]any{}
		}
		switch v := value.GetKind().(type) {
		case *structpb.Value_StringValue:
			c.Claims[name] = v.StringValue
		case *structpb.Value_BoolValue:
			c.Claims[name] = v.BoolValue
		case *structpb.Value_NumberValue:
			if v.NumberValue != math.Trunc(v.NumberValue) || math.Abs(v.NumberValue) > 1<<53 {
				return c, errors.New("claim " + name + " is no integer")
			}
			c.Claims[name] = int(v.NumberValue)
		case *structpb.Value_ListValue:
			var list []string
			for _, item := range v.ListValue.GetValues() {
				text, ok := item.GetKind().(*structpb.Value_StringValue)
				if !ok {
					return c, errors.New("claim " + name + " has an item that is no string")
				}
				list = append(list, text.StringValue)
			}
			c.Claims[name] = list
		default:
			return c, errors.New("claim " + name + " is no string, integer, boolean or list of strings")
		}
	}
	return c, nil
}

// registrationOf is the reverse of clientOf.
func registrationOf(c issuer.Client) (*issuerv1.Registration, error) {
	r := &issuerv1.Registration{
		Jwks: new(string(c.JWKS)), Identity: new(c.Identity),
		Own:   &issuerv1.Grant{Audiences: c.Own.Audiences, Scopes: c.Own.Scopes},
		Users: &issuerv1.Grant{Audiences: c.Users.Audiences, Scopes: c.Users.Scopes},
	}
	for name, value := range c.Claims {
		if list, ok := value.([]string); ok {
			items := make([]any, len(list))
			for n, item := range list {
				items[n] = item
			}
			value = items
		}
		v, err := structpb.NewValue(value)
		if err != nil {
			return nil, err
		}
		if r.Claims == nil {
			r.Claims = map[string]*structpb.Value{}
		}
		r.Claims[name] = v
	}
	return r, nil
}
