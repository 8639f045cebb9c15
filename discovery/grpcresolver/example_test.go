package grpcresolver_test

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/discovery"
	"github.com/parley-rpc/parley/discovery/grpcbalancer"
	"github.com/parley-rpc/parley/discovery/grpcresolver"
	"github.com/parley-rpc/parley/discovery/mem"
)

func ExampleDialOptions() {
	engine := mem.New()
	registry := discovery.New(engine.Driver())
	defer registry.Close()

	conn, err := grpc.NewClient("parley:///payments", append(
		grpcresolver.DialOptions(registry, "parley"),
		grpc.WithDefaultServiceConfig(
			`{"loadBalancingConfig":[{"`+grpcbalancer.Name+`":{"childPolicy":[{"round_robin":{}}]}}]}`,
		),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	engine.SetDown(true)
	_, err = healthpb.NewHealthClient(conn).Check(context.Background(), &healthpb.HealthCheckRequest{})
	fmt.Println(status.Code(err), "-", status.Convert(err).Message())
	// Output: Unavailable - discovery: mem: find "payments": the engine is down
}
