package main

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	ordersv1 "github.com/parley-rpc/parley/gen/shop/orders/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/principal"
)

// edge is where users come in. It exchanges what they bring for a transaction token, which holds no more than this
// transaction needs.
type edge struct {
	ordersv1.UnimplementedOrdersServiceServer
	shop   *shop
	orders ordersv1.OrdersServiceClient
}

func (e *edge) PlaceOrder(ctx context.Context, req *ordersv1.PlaceOrderRequest) (*ordersv1.PlaceOrderResponse, error) {
	e.shop.saw(ctx, "edge")
	user, ok := principal.UserFromContext(ctx)
	if !ok {
		return nil, status.Error(codes.Internal, "the policy demands a user, and there is none")
	}
	token, err := e.shop.mint.transactionToken(user.Subject, "edge", "orders.place payments.charge")
	if err != nil {
		return nil, status.Error(codes.Unavailable, "no transaction token to be had")
	}
	return e.orders.PlaceOrder(auth.AttachTransactionToken(ctx, token), req)
}

// orders calls payments. The transaction token goes on by itself.
type orders struct {
	ordersv1.UnimplementedOrdersServiceServer
	shop     *shop
	payments paymentsv1.PaymentsServiceClient
}

func (o *orders) PlaceOrder(ctx context.Context, _ *ordersv1.PlaceOrderRequest) (*ordersv1.PlaceOrderResponse, error) {
	o.shop.saw(ctx, "orders")
	const id = "order-1"
	if _, err := o.payments.Charge(ctx, &paymentsv1.ChargeRequest{OrderId: id}); err != nil {
		return nil, err
	}
	return &ordersv1.PlaceOrderResponse{Order: &ordersv1.Order{Id: id}}, nil
}

type payments struct {
	paymentsv1.UnimplementedPaymentsServiceServer
	shop *shop
}

func (p *payments) Charge(ctx context.Context, req *paymentsv1.ChargeRequest) (*paymentsv1.ChargeResponse, error) {
	p.shop.saw(ctx, "payments")
	return &paymentsv1.ChargeResponse{ChargeId: "charge-of-" + req.GetOrderId()}, nil
}
