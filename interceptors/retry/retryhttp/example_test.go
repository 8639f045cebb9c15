package retryhttp_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/interceptors/retry"
	"github.com/parley-rpc/parley/interceptors/retry/retryhttp"
)

func Example() {
	server := &wire{script: []answer{{status: http.StatusServiceUnavailable}, {status: http.StatusOK}}}

	transport, err := retryhttp.New(server, retry.OperationPolicy{
		Deadline:          2 * time.Second,
		MaxAttempts:       3,
		PerAttemptTimeout: 500 * time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer transport.Close()
	client := &http.Client{Transport: transport}

	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://rates.example/eur", http.NoBody)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode, "after", server.sent.Load(), "attempts")
	// Output: 200 after 2 attempts
}
