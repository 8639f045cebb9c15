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
