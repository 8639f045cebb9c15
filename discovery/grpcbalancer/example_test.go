package grpcbalancer_test

import (
	"encoding/json"
	"fmt"

	"github.com/parley-rpc/parley/discovery/grpcbalancer"
)

func ExampleConfig() {
	text, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{grpcbalancer.Config("round_robin")},
	})
	fmt.Println(string(text), err)
	// Output: {"loadBalancingConfig":[{"parley":{"childPolicy":[{"round_robin":{}}]}}]} <nil>
}

func ExampleBalancing() {
	text, err := json.Marshal(grpcbalancer.Balancing{
		Policy:       grpcbalancer.RingHash,
		HashMetadata: "user-id",
	}.Config())
	fmt.Println(string(text), err)
	// Output: {"parley":{"childPolicy":[{"ring_hash_experimental":{"requestHashHeader":"user-id"}}]}} <nil>
}
