// Package retryhttp tries HTTP requests again by the rules of package retry.
//
//	transport, err := retryhttp.New(http.DefaultTransport, retry.OperationPolicy{MaxAttempts: 4})
//	client := &http.Client{Transport: transport}
//
// # When a request is sent again
//
// After an answer with 429, 502, 503 or 504, and after an attempt without an answer: the connection failed, or
// PerAttemptTimeout passed. All other questions are those of package retry: deadline, budget, attempts, breaker,
// switch.
//
// It must also be safe. The methods GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent (RFC 9110, section 9.2.2),
// and so is any request with an Idempotency-Key or X-Idempotency-Key, as for net/http. Every other request is sent
// again only if its connection could not be opened. A request with a body and without GetBody is sent once; the
// deadline and Close hold for it, too.
//
// A Retry-After, in seconds or as a date, is waited for exactly. If it leaves no time before the deadline, the answer
// is returned at once.
//
// # Results
//
// The response of the last attempt, whatever its status, with its body unread. The bodies of earlier responses are read
// for a second at most, beside the next attempt, and closed, so that their connections can be used again. An error is
// returned only if the last attempt had no response. It is a *retry.Error with the text and the chain of net/http's
// error: its Timeout reports whether time was up, and errors.Is finds context.DeadlineExceeded or context.Canceled.
//
// The Deadline of the policy and PerAttemptTimeout end with the header of the response: from then on the body is
// bounded by the context of the request alone.
//
// # Budget
//
// Each host (with its port) has a Retrier of its own, with its budget and breaker. After 1,000 hosts the others share
// one. An answer below 500 other than 429 counts as a success.
package retryhttp
