// Users shows two identities side by side in three services: the workload that calls, which every connection proves,
// and the end user on whose behalf it calls, whom a token names. Alice logs in and buys something; the edge exchanges
// her token for a transaction token once, and orders and payments see that one only. Bob may browse and not buy.
//
// It ends by itself, with status 0 if everything behaved as it says and 1 if anything did not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/rpcerr"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\nusers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "parley-users-") // new, and not readable by others
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := openShop(dir, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for i, scene := range []struct {
		title string
		play  func(context.Context, *shop) error
	}{
		{"Alice logs in with the scope orders.place and buys a kettle.", alice},
		{"Bob, who may only browse, tries the same.", bob},
		{"No user is logged in.", nobody},
		{"The web front calls payments itself, with Alice's token.", shortcut},
		{"The web front has got hold of Alice's transaction token and takes it to orders.", stolen},
	} {
		fmt.Fprintf(out, "\n%d. %s\n", i+1, scene.title)
		if err := scene.play(ctx, s); err != nil {
			return fmt.Errorf("scene %d did not go as narrated: %w", i+1, err)
		}
	}
	fmt.Fprintln(out, "\nEverything behaved as narrated.")
	return nil
}

func alice(ctx context.Context, s *shop) error {
	token, err := s.login.accessToken("alice", s.edge.id.String(), "orders.browse orders.place")
	if err != nil {
		return err
	}
	reply, err := s.web.edge.PlaceOrder(auth.AttachUserToken(ctx, token), &ordersv1.PlaceOrderRequest{Item: "kettle"})
	if err != nil {
		return err
	}
	s.say("Alice has her order %s.", reply.GetOrder().GetId())
	return s.sawOnly("alice", "edge", "orders", "payments")
}

func bob(ctx context.Context, s *shop) error {
	token, err := s.login.accessToken("bob", s.edge.id.String(), "orders.browse")
	if err != nil {
		return err
	}
	_, err = s.web.edge.PlaceOrder(auth.AttachUserToken(ctx, token), &ordersv1.PlaceOrderRequest{Item: "kettle"})
	return s.refused("Bob", err, codes.PermissionDenied, rpcerr.InsufficientScope)
}

func nobody(ctx context.Context, s *shop) error {
	_, err := s.web.edge.PlaceOrder(ctx, &ordersv1.PlaceOrderRequest{Item: "kettle"})
	return s.refused("The web front alone", err, codes.Unauthenticated, rpcerr.CredentialsMissing)
}

func shortcut(ctx context.Context, s *shop) error {
	token, err := s.login.accessToken("alice", s.payments.id.String(), "payments.charge")
	if err != nil {
		return err
	}
	_, err = s.web.payments.Charge(auth.AttachUserToken(ctx, token), &paymentsv1.ChargeRequest{OrderId: "1"})
	return s.refused("The web front", err, codes.PermissionDenied, rpcerr.PolicyDenied)
}

func stolen(ctx context.Context, s *shop) error {
	token, err := s.mint.transactionToken("alice", "edge", "orders.place payments.charge")
	if err != nil {
		return err
	}
	_, err = s.web.orders.PlaceOrder(auth.AttachTransactionToken(ctx, token), &ordersv1.PlaceOrderRequest{Item: "kettle"})
	return s.refused("The web front", err, codes.PermissionDenied, rpcerr.PolicyDenied)
}

// refused checks that a call was refused for the reason that the scene is about, and that no handler ran.
func (s *shop) refused(who string, err error, code codes.Code, reason rpcerr.Reason) error {
	if status.Code(err) != code || rpcerr.ReasonOf(err) != reason {
		return fmt.Errorf("want %v %s, got %w", code, string(reason), err)
	}
	s.say("%s is refused: %v, %s.", who, code, reason)
	return s.sawOnly("")
}
