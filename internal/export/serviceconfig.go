package export

import (
	"encoding/json"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/parley-rpc/parley/policy"
)

// Budget limits retries, as the retrier's does.
type Budget struct {
	// Max is its capacity, in retries.
	Max float64
	// Ratio is what one success adds.
	Ratio float64
}

// retries reports whether the budget pays for any.
func (b Budget) retries() bool { return b.Max >= 1 && b.Ratio > 0 }

// UsualBudget is that of a client whose configuration states none.
func UsualBudget() Budget { return Budget{Max: 10, Ratio: 0.1} }

// maxTokens is the largest bucket of a client of gRPC. A client retries while it is more than half full (gRFC A6), so
// that a bucket of twice the budget pays for as many retries.
const maxTokens = 1000

// maxClientAttempts is what clients of gRPC make of a larger number (gRFC A6).
const maxClientAttempts = 5

// serviceConfig is service_config.proto of gRPC as JSON, as far as it is written.
type serviceConfig struct {
	MethodConfig    []methodConfig   `json:"methodConfig"`
	RetryThrottling *retryThrottling `json:"retryThrottling,omitempty"`
}

type methodConfig struct {
	Name        []methodName `json:"name"`
	Timeout     string       `json:"timeout,omitempty"`
	RetryPolicy *retryPolicy `json:"retryPolicy,omitempty"`
}

type methodName struct {
	Service string `json:"service"`
	Method  string `json:"method"`
}

type retryPolicy struct {
	MaxAttempts          int      `json:"maxAttempts"`
	InitialBackoff       string   `json:"initialBackoff"`
	MaxBackoff           string   `json:"maxBackoff"`
	BackoffMultiplier    float64  `json:"backoffMultiplier"`
	RetryableStatusCodes []string `json:"retryableStatusCodes"`
}

type retryThrottling struct {
	MaxTokens  float64 `json:"maxTokens"`
	TokenRatio float64 `json:"tokenRatio"`
}

// ServiceConfig writes the deadlines and retries of methods as a service config of gRPC, in JSON. Waits double there as
// they do in the retrier. A service config says nothing about who may call, so that it opens nothing.
func ServiceConfig(methods []policy.Method, budget Budget) ([]byte, []Note, error) {
	var w writer
	config := serviceConfig{MethodConfig: []methodConfig{}}
	if budget.retries() {
		config.RetryThrottling = &retryThrottling{min(2*budget.Max, maxTokens), budget.Ratio}
	}
	for i := range methods {
		m := &methods[i]
		service, name := split(m.Name)
		one := methodConfig{Name: []methodName{{service, name}}}
		if m.Deadline.Stated() {
			one.Timeout = seconds(m.Deadline.Value)
		}
		a := w.attemptsOf(m, allCodes())
		if a.limit > 0 {
			w.note(m, "retry.per_attempt_timeout", m.Retry.PerAttemptTimeout.Source, "it cannot be said; the deadline alone "+
				"ends an attempt")
		}
		if a.count > maxClientAttempts {
			w.note(m, "retry.max_attempts", m.Retry.MaxAttempts.Source, "clients of gRPC make at most %d attempts",
				maxClientAttempts)
			a.count = maxClientAttempts
		}
		if a.count > 1 && budget.retries() {
			one.RetryPolicy = &retryPolicy{
				MaxAttempts: a.count, InitialBackoff: seconds(a.initial), MaxBackoff: seconds(a.max), BackoffMultiplier: 2,
			}
			for _, code := range a.codes {
				one.RetryPolicy.RetryableStatusCodes = append(one.RetryPolicy.RetryableStatusCodes, codeName(code))
			}
		}
		if one.Timeout != "" || one.RetryPolicy != nil {
			config.MethodConfig = append(config.MethodConfig, one)
		}
	}
	text, err := json.MarshalIndent(config, "", "  ")
	return append(text, '\n'), w.notes, err
}

// allCodes are those that a service config has words for: all but OK.
func allCodes() []codes.Code {
	var all []codes.Code
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		all = append(all, c)
	}
	return all
}

// seconds is a duration as protobuf writes it in JSON: "0.05s".
func seconds(d time.Duration) string {
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	if rest == 0 {
		return strconv.FormatInt(whole, 10) + "s"
	}
	digits := strconv.FormatInt(int64(time.Second)+rest, 10)[1:]
	for digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return strconv.FormatInt(whole, 10) + "." + digits + "s"
}
