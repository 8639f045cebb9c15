package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/principal"
	"github.com/parley-rpc/parley/rpcerr"
)

const (
	getQuote = "shop.payments.v1.PaymentsService/GetQuote"
	charge   = "shop.payments.v1.PaymentsService/Charge"
	refund   = "shop.payments.v1.PaymentsService/Refund"
)

// scene shows one thing that Parley does, and returns an error if it did not happen.
type scene struct {
	title string
	play  func(context.Context, *shop, *narrator) error
}

var scenes = [...]scene{
	{"A clean call: each side proves who it is", cleanCall},
	{"Two failures, then success: every attempt is visible", thirdAttempt},
	{"A charge is not idempotent, so nothing repeats it", notRepeated},
	{"No time left for another attempt: the real error, at once", noTimeLeft},
	{"A valid identity without permission", noPermission},
	{"An impostor: a valid identity under the wrong name", impostor},
	{"Draining one replica under load", drain},
}

func cleanCall(ctx context.Context, s *shop, n *narrator) error {
	ctx, cancel := within(ctx, 2*time.Second)
	defer cancel()
	var server peer.Peer
	reply, err := s.payments.GetQuote(ctx, &paymentsv1.GetQuoteRequest{OrderId: "42"}, grpc.Peer(&server))
	if err != nil {
		return err
	}
	if err := n.draw(getQuote); err != nil {
		return err
	}
	proven, ok := principal.PeerOf(&server)
	if !ok || proven.ID != s.replica[0].identity.ID() {
		return fmt.Errorf("the server proved to be %q", proven.ID)
	}
	caller := s.troubles.lastCaller()
	if caller.ID != s.orders.identity.ID() {
		return fmt.Errorf("the caller proved to be %q", caller.ID)
	}
	n.say("%s answered. Before orders sent a byte of its request, the server\nproved to be  %s,\nand before the handler "+
		"ran, the caller\nproved to be  %s.\nBoth proofs are JWTs bound to this one TLS connection; "+
		"per call nothing is signed.",
		reply.GetReplica(), proven.ID, caller.ID)
	return nil
}

func thirdAttempt(ctx context.Context, s *shop, n *narrator) error {
	ctx, cancel := within(ctx, 2*time.Second)
	defer cancel()
	s.troubles.failing.Store(2)
	reply, err := s.payments.GetQuote(ctx, &paymentsv1.GetQuoteRequest{OrderId: "42"})
	if err != nil {
		return err
	}
	if err := n.draw(getQuote); err != nil {
		return err
	}
	call, err := n.newest(getQuote)
	if err != nil {
		return err
	}
	if len(call.Attempts) != 3 {
		return fmt.Errorf("%d attempts instead of 3", len(call.Attempts))
	}
	for _, a := range call.Attempts {
		name, ok := s.names[a.Endpoint]
		if !ok {
			return fmt.Errorf("attempt %d names no replica but %q", a.Number, a.Endpoint)
		}
		n.say("attempt %d  %s  %s", a.Number, name, a.Status)
	}
	n.say(
		"GetQuote has no side effects, says its .proto, so it may be repeated. "+
			"%s answered.\nThe waits are drawn at random below 50 ms and 100 ms: "+
			"clients that fail together do not come back together.",
		reply.GetReplica(),
	)
	return nil
}

func notRepeated(ctx context.Context, s *shop, n *narrator) error {
	ctx, cancel := within(ctx, 2*time.Second)
	defer cancel()
	before := s.troubles.charges.Load()
	s.troubles.failing.Store(1)
	_, err := s.payments.Charge(ctx, &paymentsv1.ChargeRequest{OrderId: "42"})
	if err := n.draw(charge); err != nil {
		return err
	}
	if err := stoppedBecause(err, codes.Unavailable, retry.StopNotIdempotent); err != nil {
		return err
	}
	if ran := s.troubles.charges.Load() - before; ran != 1 {
		return fmt.Errorf("the handler ran %d times", ran)
	}
	n.say(
		"The handler ran once and failed, and may have charged the card: "+
			"the caller cannot know.\nThe .proto does not call Charge idempotent, so the caller gets the error: "+
			"UNAVAILABLE, stop reason %s.",
		retry.StopNotIdempotent,
	)
	return nil
}

func noTimeLeft(ctx context.Context, s *shop, n *narrator) error {
	const limit = 400 * time.Millisecond
	ctx, cancel := within(ctx, limit)
	defer cancel()
	s.troubles.failing.Store(1)
	_, err := s.payments.Refund(ctx, &paymentsv1.RefundRequest{ChargeId: "charge-of-42"})
	if err := n.draw(refund); err != nil {
		return err
	}
	if err := stoppedBecause(err, codes.Unavailable, retry.StopDeadline); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("the answer came only when the deadline had passed")
	}
	n.say(
		"Refund may be repeated, with a backoff of up to 1 s. The deadline is in %s, "+
			"so a second attempt\ncould not be answered any more. The caller has the real error now, "+
			"and not a DEADLINE_EXCEEDED later.",
		limit,
	)
	return nil
}

// stoppedBecause checks how a call failed.
func stoppedBecause(err error, code codes.Code, reason retry.StopReason) error {
	var stopped *retry.Error
	switch {
	case status.Code(err) != code:
		return fmt.Errorf("the caller got %w instead of %v", err, code)
	case !errors.As(err, &stopped):
		return fmt.Errorf("the error does not say why it was not tried again: %w", err)
	case stopped.Reason != reason:
		return fmt.Errorf("it was not tried again because of %s instead of %s", stopped.Reason, reason)
	}
	return nil
}

func noPermission(ctx context.Context, s *shop, n *narrator) error {
	ctx, cancel := within(ctx, 2*time.Second)
	defer cancel()
	fromCatalog := paymentsv1.NewPaymentsServiceClient(s.catalog.app.Client("payments"))
	_, err := fromCatalog.GetQuote(ctx, &paymentsv1.GetQuoteRequest{OrderId: "42"})
	if err := n.draw(getQuote); err != nil {
		return err
	}
	if status.Code(err) != codes.PermissionDenied || rpcerr.ReasonOf(err) != rpcerr.PolicyDenied {
		return fmt.Errorf("catalog got %w", err)
	}
	n.say(
		"%s proved who it is, and the .proto of payments lets only orders call.\nThe answer is PERMISSION_DENIED, %s; "+
			"it is never tried again.",
		s.catalog.identity.ID(), rpcerr.PolicyDenied,
	)
	return nil
}

func impostor(ctx context.Context, s *shop, n *narrator) error {
	ctx, cancel := within(ctx, 2*time.Second)
	defer cancel()
	warehouse := s.service("warehouse", "warehouse")
	handled := &payments{replica: "impostor", troubles: &troubles{}}
	warehouse.server = warehouse.app.Server("127.0.0.1:0")
	paymentsv1.RegisterPaymentsServiceServer(warehouse.server, handled)
	if err := s.start(ctx, warehouse); err != nil {
		return err
	}
	misled := paymentsv1.NewPaymentsServiceClient(s.orders.app.Client("payments",
		framework.WithTarget("passthrough:///"+warehouse.server.Addr().String())))
	_, err := misled.Charge(ctx, &paymentsv1.ChargeRequest{OrderId: "42"})
	if err := n.draw(charge); err != nil {
		return err
	}
	if status.Code(err) != codes.Unauthenticated || rpcerr.ReasonOf(err) != rpcerr.ServerIdentityMismatch {
		return fmt.Errorf("orders got %w", err)
	}
	if handled.troubles.charges.Load() != 0 {
		return errors.New("the impostor received the request")
	}
	n.say(
		"Something pointed orders at %s, which has a good key of its own.\nIt cannot prove to be payments, "+
			"so orders closed the connection in the handshake: %s.\nThe impostor received no byte of the request, "+
			"and not even the name of its caller.",
		warehouse.identity.ID(), rpcerr.ServerIdentityMismatch,
	)
	return s.end(warehouse)
}
