// Package decisions decides on one call by the policies of a typical mesh namespace, 20 policies with 100 rules: with
// Parley's reader of Istio's YAML, with grpc-go's authz package and with OPA's Go library.
//
//	go test -run Decisions -bench . -count 10 .
package decisions
