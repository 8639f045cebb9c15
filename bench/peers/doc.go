// Package peers runs the scripts of package retrytest against other retriers for gRPC in Go, and asserts that each
// still fails those that Parley's documents say it fails. When a peer gets better, a test here fails, and the claim has
// to go.
//
//	go test -v -run TestTable .
//
// prints who keeps which promise.
package peers
