package storetest_test

import (
	"fmt"

	"github.com/parley-rpc/parley/interceptors/retry/dedupe/storetest"
)

// Run checks a store in a test; Cases are what it checks.
func ExampleCases() {
	fmt.Println(len(storetest.Cases()) > 0)
	// Output:
	// true
}
