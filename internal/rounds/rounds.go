// Package rounds says how often a test of a random property is to be repeated: few times while one works, many times in
// continuous integration.
package rounds

import (
	"os"
	"strconv"
)

// Of returns n times the number in the environment variable TEST_ROUNDS, and n where that is no positive number.
func Of(n int) int {
	if times, err := strconv.Atoi(os.Getenv("TEST_ROUNDS")); err == nil && times > 0 {
		return n * times
	}
	return n
}
