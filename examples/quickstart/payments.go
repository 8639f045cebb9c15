package main

import (
	"context"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/principal"
)

// payments is one replica of the payments service.
type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	replica  string
	troubles *troubles // shared by the replicas: they have the same backend
}

// troubles is how the backend of payments is doing.
type troubles struct {
	failing atomic.Int32 // so many calls fail from now on
	charges atomic.Int32 // how often a charge was begun

	mu     sync.Mutex
	caller principal.Peer // who called last
}

func (t *troubles) meet(ctx context.Context) error {
	if peer, ok := principal.PeerFromContext(ctx); ok {
		t.mu.Lock()
		t.caller = peer
		t.mu.Unlock()
	}
	if t.failing.Add(-1) >= 0 {
		return status.Error(codes.Unavailable, "the bank's line is down")
	}
	return nil
}

func (t *troubles) lastCaller() principal.Peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.caller
}

func (p *payments) GetQuote(ctx context.Context, _ *paymentsv1.GetQuoteRequest) (*paymentsv1.GetQuoteResponse, error) {
	if err := p.troubles.meet(ctx); err != nil {
		return nil, err
	}
	return &paymentsv1.GetQuoteResponse{
		Price:   &paymentsv1.Money{Currency: "EUR", MinorUnits: 1250},
		Replica: p.replica,
	}, nil
}

func (p *payments) Charge(ctx context.Context, req *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	p.troubles.charges.Add(1)
	if err := p.troubles.meet(ctx); err != nil {
		return nil, err
	}
	return &paymentsv1.ChargeResponse{ChargeId: "charge-of-" + req.GetOrderId()}, nil
}

func (p *payments) Refund(ctx context.Context, _ *paymentsv1.RefundRequest) (*paymentsv1.RefundResponse, error) {
	if err := p.troubles.meet(ctx); err != nil {
		return nil, err
	}
	return &paymentsv1.RefundResponse{Amount: &paymentsv1.Money{Currency: "EUR", MinorUnits: 1250}}, nil
}
