package grpcbalancer

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/ringhash"
	"google.golang.org/grpc/metadata"
)

// hashKeyHeader is the metadata key under which ring_hash finds the key of WithHashKey. Only ring_hash sees it; it is
// not sent.
const hashKeyHeader = "parley-hash-key"

type hashKey struct{}

// WithHashKey returns a context with a hash key. The policy ring_hash sends all calls with the same key to the same
// instance. Channels with [Balancing].HashMetadata ignore the key. The key does not leave the process.
func WithHashKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, hashKey{}, key)
}

// showKey puts the key of ctx into the metadata, which is the only place where ring_hash looks.
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

// hashKeysAreOff reports whether an environment variable makes gRPC ignore the setting for the hash key. Outside of
// xDS, ring_hash then never picks an endpoint. If gRPC does not ignore the setting, it refuses an invalid header name,
// which is how this function finds out.
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
