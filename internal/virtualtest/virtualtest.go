// Package virtualtest calls functions in virtual time, outside of tests too. Only package synctest has such time, and
// it asks for a test, to which it reports failures. Here there are none to report.
package virtualtest

import (
	"testing"
	"testing/synctest"
)

// Run calls f in virtual time, which passes when every goroutine that f has started waits for it, and returns when f
// and these goroutines have. F must use no channel, timer or context from outside: a wait for one lets no time pass.
func Run(f func()) { synctest.Test(new(testing.T), func(*testing.T) { f() }) }
