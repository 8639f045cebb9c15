package retry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/policy"
)

// IdempotencyKeyHeader is the metadata key of an idempotency key. Its value is the same in all attempts of a call.
const IdempotencyKeyHeader = "parley-idempotency-key"

type keyContext struct{}

// WithIdempotencyKey gives the unary call that is made with the returned context an idempotency key: 1 to 255 visible
// ASCII characters, such as the number of an order. All attempts of the call carry it, and so does a later call with
// the same key: that is how an application repeats a call after a crash. Take a context for one call, because a
// deduplicating server refuses another request with the same key. A call with an unusable key fails with
// INVALID_ARGUMENT and is not sent.
//
// A key alone does not make a call retryable, because the server may ignore it. [WithKeyedMethods] states that the
// server uses it. Streams carry no keys.
func WithIdempotencyKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

// WithKeyedMethods states that the called service deduplicates these methods by idempotency key, as package dedupe
// does, in all of its replicas alike: "/shop.payments.v1.PaymentsService/Charge", or
// "/shop.payments.v1.PaymentsService/*" for all unary methods of a service. Each of their calls then carries a key, a
// random one unless [WithIdempotencyKey] gives one, and is retried as if its method were idempotent.
//
// It is a statement of the client's author, because no answer can prove it: the call that most needs a second attempt
// had no answer, and the replica that gets that attempt may not be the one that would have confirmed.
func WithKeyedMethods(methods ...string) Option {
	text := "retry.WithKeyedMethods(" + strings.Join(methods, ", ") + ")"
	return option{text, func(c *config) { c.keyed = append(c.keyed, methods...) }}
}

// checkKeyed refuses what names no unary method.
func (c *config) checkKeyed() error {
	var errs []error
	for _, name := range c.keyed {
		parts := strings.Split(name, "/")
		if len(parts) != 3 || parts[0] != "" || parts[1] == "" || parts[2] == "" {
			errs = append(
				errs,
				fmt.Errorf(
					"retry.WithKeyedMethods: %q is not a method; write \"/package.Service/Method\" or \"/package.Service/*\"",
					name,
				),
			)
			continue
		}
		if m, err := c.table.Method(name); err == nil && m.Streams() {
			errs = append(
				errs,
				fmt.Errorf("retry.WithKeyedMethods: %s is a stream, and streams are not deduplicated; take it out", name),
			)
		}
	}
	return errors.Join(errs...)
}

// isKeyed reports whether the author of the client stated that the service deduplicates a method.
func (r *Retrier) isKeyed(p policy.Method) bool {
	if p.Streams() {
		return false
	}
	service := p.Name[:strings.LastIndexByte(p.Name, '/')+1] + "*"
	return slices.Contains(r.keyed, p.Name) || slices.Contains(r.keyed, service)
}

// withKey adds the key of a call to the metadata of all its attempts.
func withKey(ctx context.Context, m *method) (context.Context, error) {
	key, given := ctx.Value(keyContext{}).(string)
	switch {
	case !given && !m.keyed:
		return ctx, nil
	case !given:
		key = rand.Text()
	case !validKey(key):
		return nil, status.Errorf(
			codes.InvalidArgument,
			"retry.WithIdempotencyKey: the key is %q; it must be 1 to %d visible ASCII characters",
			key,
			maxKeyLength,
		)
	}
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok {
		md = metadata.MD{}
	}
	md.Set(IdempotencyKeyHeader, key)
	return metadata.NewOutgoingContext(ctx, md), nil
}

func validKey(key string) bool {
	if key == "" || len(key) > maxKeyLength {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}
