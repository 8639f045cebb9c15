package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
)

// How long a replica works on a call.
const (
	usualWork = 10 * time.Millisecond
	slowWork  = 100 * usualWork
)

// A stream goes on for 25 seconds.
const (
	messageEvery = 250 * time.Millisecond
	lastMessage  = 100
)

// The moods of a replica, which are the commands it takes.
const (
	moodUsual       = "usual"
	moodSlow        = "slow"
	moodUnavailable = "unavailable"
)

// payments charges into the ledger.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	name   string
	ledger *os.File
	mood   atomic.Value // a string
}

func (p *payments) work(ctx context.Context) error {
	took := usualWork
	switch p.mood.Load() {
	case moodUnavailable:
		return status.Error(codes.Unavailable, "the bank is closed")
	case moodSlow:
		took = slowWork
	}
	select {
	case <-time.After(took):
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// Charge writes the order into the ledger, with one write, so that a killed replica has written all of it or nothing.
func (p *payments) Charge(ctx context.Context, in *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	if err := p.work(ctx); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(p.ledger, "%s\n", in.GetOrderId()); err != nil {
		return nil, err
	}
	return &paymentsv1.ChargeResponse{ChargeId: in.GetOrderId()}, nil
}

func (p *payments) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	return &paymentsv1.GetQuoteResponse{Replica: p.name}, p.work(ctx)
}

// WatchCharge numbers its messages. It begins after the number that the request names, and ends after the last.
func (p *payments) WatchCharge(
	in *paymentsv1.WatchChargeRequest, stream grpc.ServerStreamingServer[paymentsv1.WatchChargeResponse],
) error {
	after, err := strconv.Atoi(in.GetChargeId())
	if err != nil {
		return status.Error(codes.InvalidArgument, "charge_id is no number")
	}
	for n := after + 1; n <= lastMessage; n++ {
		if err := stream.Send(&paymentsv1.WatchChargeResponse{State: strconv.Itoa(n)}); err != nil {
			return err
		}
		select {
		case <-time.After(messageEvery):
		case <-stream.Context().Done():
			return status.FromContextError(stream.Context().Err()).Err()
		}
	}
	return nil
}

// Refund answers, although the configuration file forbids the callers to call it.
func (p *payments) Refund(context.Context, *paymentsv1.RefundRequest) (*paymentsv1.RefundResponse, error) {
	return &paymentsv1.RefundResponse{}, nil
}

// replica serves until ctx ends.
func replica(
	ctx context.Context, dir, name string, options []framework.Option, commands <-chan string, ready func(address string),
) error {
	ledger, err := appendTo(dir, "ledger", name)
	if err != nil {
		return err
	}
	p := &payments{name: name, ledger: ledger}
	p.mood.Store(moodUsual)
	app := framework.New("payments", options...)
	server := app.Server("127.0.0.1:0")
	paymentsv1.RegisterPaymentsServiceServer(server, p)
	go func() {
		<-app.Ready()
		ready(server.Addr().String())
		for mood := range commands {
			p.mood.Store(mood)
		}
	}()
	return errors.Join(app.Run(ctx), ledger.Close())
}
