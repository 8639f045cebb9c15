package grpcbalancer

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/ringhash"
	"google.golang.org/grpc/metadata"
)

// hashKeyHeader is where ring_hash looks for a key of WithHashKey. It is shown to ring_hash alone and is not sent.
const hashKeyHeader = "parley-hash-key"

type hashKey struct{}

// WithHashKey returns a context whose calls go where the policy ring_hash sends key, on channels for which no metadata
// is named instead. The key does not leave the process.
func WithHashKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, hashKey{}, key)
}

// showKey shows the key of ctx to ring_hash in the only place where it looks.
func showKey(ctx context.Context) context.Context {
	if key, ok := ctx.Value(hashKey{}).(string); ok {
		return metadata.AppendToOutgoingContext(ctx, hashKeyHeader, key)
	}
	return ctx
}

func checkHashMetadata(key string) error {
	if err := parseRing(key); err != nil {
		return fmt.Errorf("hash key: metadata %q: %w", key, err)
	}
	return nil
}

// hashKeysAreOff reports whether the environment makes gRPC overlook where the key is. Then ring_hash never picks
// anything outside of xDS. GRPC checks the name of a header that it does not overlook.
func hashKeysAreOff() bool { return parseRing("not a header") == nil }

func parseRing(header string) error {
	parser, ok := balancer.Get(ringhash.Name).(balancer.ConfigParser)
	if !ok {
		return nil
	}
	text, err := json.Marshal(map[string]string{"requestHashHeader": header})
	if err != nil {
		return err
	}
	_, err = parser.ParseConfig(text)
	return err
}
