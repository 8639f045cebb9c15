package auth_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

// plainBundle is a bundle of credentials that secure nothing.
type plainBundle struct{ credentials.Bundle }

func (plainBundle) TransportCredentials() credentials.TransportCredentials {
	return insecure.NewCredentials()
}
func (plainBundle) PerRPCCredentials() credentials.PerRPCCredentials { return nil }

// Other credentials behind those of the channel take their place in gRPC. Nothing may then be sent to whoever listens.
func TestNothingIsSentOverOtherCredentials(t *testing.T) {
	for name, other := range map[string]grpc.DialOption{
		"plaintext":  grpc.WithTransportCredentials(insecure.NewCredentials()),
		"a bundle":   grpc.WithCredentialsBundle(plainBundle{}),
		"own client": nil, // of another expectation
	} {
		for mode, options := range map[string][]auth.ChannelOption{
			"require": nil,
			"prefer":  {auth.WithMode(auth.ModePrefer)},
		} {
			t.Run(name+", "+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.enroll("payments")
					identity := w.identity("orders")
					channel := identity.Channel([]principal.Pattern{w.id("payments")}, options...)
					made := channel.DialOptions()
					switch name {
					case "a bundle":
						made = made[1:] // gRPC takes one kind of credentials
					case "own client":
						other = grpc.WithTransportCredentials(identity.Channel([]principal.Pattern{w.id("mail")}).TransportCredentials())
					}
					dialed := false
					dial := func(context.Context, string) (net.Conn, error) {
						dialed = true
						return nil, errors.New("nobody listens")
					}
					cc, err := grpc.NewClient("passthrough:///payments",
						slices.Concat(made, []grpc.DialOption{other, grpc.WithContextDialer(dial)})...)
					if err != nil {
						if mode == "require" {
							t.Fatal(err)
						}
						return // gRPC itself sends no tokens in plaintext
					}
					_, err = healthv1.NewHealthClient(cc).Check(t.Context(), &healthv1.HealthCheckRequest{})
					if !errors.Is(err, rpcerr.ServerProofMissing) {
						t.Errorf("Check = %v, want SERVER_PROOF_MISSING", err)
					}
					if _, err := healthv1.NewHealthClient(cc).Watch(t.Context(), &healthv1.HealthCheckRequest{}); !errors.Is(
						err,
						rpcerr.ServerProofMissing,
					) {
						t.Errorf("Watch = %v, want SERVER_PROOF_MISSING", err)
					}
					if dialed {
						t.Error("the client connected")
					}
					if err := cc.Close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}
