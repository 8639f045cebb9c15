// Package istio compares the policies of policy/istio with those of Istio itself: its own translation into filters of
// Envoy, judged by a slow evaluator of these. It holds tests only, and make test-istio runs them.
package istio
