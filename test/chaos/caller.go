package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/framework"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// How often a caller makes a call of each kind.
const (
	quoteEvery  = 25 * time.Millisecond
	chargeEvery = 25 * time.Millisecond
	refundEvery = 250 * time.Millisecond
)

// The kinds of calls.
const (
	quote  = "quote"
	charge = "charge"
	refund = "refund"
	watch  = "stream"
)

// watchers is how many streams a caller holds at any time.
const watchers = 2

// caller makes calls until ctx ends, and writes the result of each into its file.
func caller(
	ctx context.Context, dir, name string, options []framework.Option, ready func(address string),
) error {
	file, err := appendTo(dir, "results", name)
	if err != nil {
		return err
	}
	app := framework.New("orders", options...)
	client := paymentsv1.NewPaymentsServiceClient(app.Client("payments"))
	if _, err := client.GetQuote(ctx, &paymentsv1.GetQuoteRequest{}, grpc.WaitForReady(true)); err != nil {
		return errors.Join(err, app.Close(), file.Close())
	}
	ready("")
	results := make(chan result, 1024)
	written := make(chan error, 1)
	go func() { written <- write(file, results) }()

	// A call that has begun ends by itself, so its context is not that of the caller.
	whole := context.WithoutCancel(ctx)
	calls := map[string]func(id string) error{
		quote: func(id string) error {
			_, err := client.GetQuote(whole, &paymentsv1.GetQuoteRequest{OrderId: id})
			return err
		},
		charge: func(id string) error {
			_, err := client.Charge(whole, &paymentsv1.ChargeRequest{OrderId: id})
			return err
		},
		refund: func(id string) error {
			_, err := client.Refund(whole, &paymentsv1.RefundRequest{ChargeId: id})
			return err
		},
	}
	var kinds, running sync.WaitGroup
	for kind, every := range map[string]time.Duration{quote: quoteEvery, charge: chargeEvery, refund: refundEvery} {
		kinds.Go(func() {
			ticker := time.NewTicker(every)
			defer ticker.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				id := fmt.Sprintf("%s-%d", name, n)
				running.Go(func() {
					r := result{kind: kind, id: id, begun: time.Now()}
					err := calls[kind](id)
					r.took, r.code, r.text = time.Since(r.begun), status.Code(err).String(), text(err)
					results <- r
				})
			}
		})
	}
	for range watchers {
		running.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := follow(ctx, client)
				if ctx.Err() != nil {
					return // cut by the end of this process
				}
				r := result{kind: watch, id: fmt.Sprintf("%s-%d", name, n), begun: time.Now(), text: text(err)}
				if r.code = status.Code(err).String(); errors.Is(err, errSequence) {
					r.code = outOfSequence
				}
				results <- r
				if err != nil {
					time.Sleep(messageEvery)
				}
			}
		})
	}
	kinds.Wait()
	running.Wait()
	close(results)
	return errors.Join(<-written, app.Close())
}

// follow receives one stream to its end, resumed where it breaks off. The error says that it failed, or that a message
// is missing or there twice.
func follow(ctx context.Context, client paymentsv1.PaymentsServiceClient) error {
	type response = paymentsv1.WatchChargeResponse
	open := func(ctx context.Context, last *response) (grpc.ServerStreamingClient[response], error) {
		return client.WatchCharge(ctx, &paymentsv1.WatchChargeRequest{ChargeId: cmp.Or(last.GetState(), "0")})
	}
	stream, err := retry.Resume(ctx, open)
	if err != nil {
		return err
	}
	for want := 1; ; want++ {
		message, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && want == lastMessage+1:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: the end comes before message %d", errSequence, want)
		case err != nil:
			return err
		case message.GetState() != strconv.Itoa(want):
			return fmt.Errorf("%w: message %s stands in the place of %d", errSequence, message.GetState(), want)
		}
	}
}

var errSequence = errors.New("messages are missing or there twice")

func text(err error) string {
	if err == nil {
		return ""
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

func write(file *os.File, results <-chan result) error {
	w := bufio.NewWriter(file)
	for r := range results {
		_, _ = fmt.Fprintln(w, r) // Flush returns its error
	}
	return errors.Join(w.Flush(), file.Close())
}
