package retrytest_test

import (
	"fmt"

	"github.com/parley-rpc/parley/interceptors/retry/retrytest"
)

// Run checks a retrier in a test; Cases are what it checks.
func ExampleCases() {
	for _, c := range retrytest.Cases()[:2] {
		fmt.Println(c.Name)
	}
	// Output:
	// 01 no wait that leaves no time
	// 03 a per-attempt timeout ends what hangs
}
