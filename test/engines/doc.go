// Package engines runs the drivers of discovery against real engines. It holds tests only, and make test-engines builds
// the engines and runs them.
package engines
