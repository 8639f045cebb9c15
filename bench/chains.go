package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"time"

	golangjwt "github.com/golang-jwt/jwt/v5"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/retry"
	"github.com/lestrrat-go/jwx/v2/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v2/jwt"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	chainIssuer   = "spiffe://bench.example/orders"
	chainAudience = "spiffe://bench.example/payments"
)

// chains are what services without a framework chain by hand: a bearer token that the server verifies in each call,
// retry, metrics and traces. Nothing proves the server, and nothing sets a deadline but that of an attempt.
func chains() []maker {
	return []maker{
		{"chain: go-grpc-middleware with golang-jwt, nothing sampled", onGRPC(chain(withGolangJWT))},
		{"chain: go-grpc-middleware with jwx, nothing sampled", onGRPC(chain(withJWX))},
	}
}

func chain(verifier func(ed25519.PublicKey) func(string) error) func(context.Context) (ends, error) {
	return func(ctx context.Context) (ends, error) {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return ends{}, err
		}
		now := time.Now()
		token, err := golangjwt.NewWithClaims(golangjwt.SigningMethodEdDSA, golangjwt.MapClaims{
			"iss": chainIssuer, "sub": chainIssuer, "aud": chainAudience, "jti": rand.Text(),
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}).SignedString(private)
		if err != nil {
			return ends{}, err
		}
		traced, err1 := otelgrpcEnds(sampleNone)(ctx)
		measured, err2 := prometheusEnds(ctx)
		if err := errors.Join(err1, err2); err != nil {
			return ends{}, err
		}
		retrying := retry.UnaryClientInterceptor(
			retry.WithMax(4), retry.WithPerRetryTimeout(500*time.Millisecond), retry.WithCodes(codes.Unavailable),
		)
		return ends{
			dial: slices.Concat(traced.dial, measured.dial, []grpc.DialOption{
				grpc.WithChainUnaryInterceptor(retrying), grpc.WithPerRPCCredentials(bearer{"authorization": "Bearer " + token}),
			}),
			serve: slices.Concat(traced.serve, measured.serve, []grpc.ServerOption{
				grpc.ChainUnaryInterceptor(auth.UnaryServerInterceptor(authenticate(verifier(public)))),
			}),
		}, nil
	}
}

func authenticate(verify func(token string) error) auth.AuthFunc {
	return func(ctx context.Context) (context.Context, error) {
		token, err := auth.AuthFromMD(ctx, "bearer")
		if err != nil {
			return nil, err
		}
		if verify(token) != nil {
			return nil, status.Error(codes.Unauthenticated, "the token does not hold")
		}
		return ctx, nil
	}
}

func withGolangJWT(key ed25519.PublicKey) func(string) error {
	parser := golangjwt.NewParser(golangjwt.WithValidMethods([]string{"EdDSA"}), golangjwt.WithIssuer(chainIssuer),
		golangjwt.WithAudience(chainAudience), golangjwt.WithExpirationRequired())
	return func(token string) error {
		_, err := parser.Parse(token, func(*golangjwt.Token) (any, error) { return key, nil })
		return err
	}
}

func withJWX(key ed25519.PublicKey) func(string) error {
	return func(token string) error {
		_, err := jwxjwt.Parse(
			[]byte(token), jwxjwt.WithKey(jwa.EdDSA, key), jwxjwt.WithIssuer(chainIssuer), jwxjwt.WithAudience(chainAudience),
		)
		return err
	}
}

// bearer sends the same metadata with each call.
type bearer map[string]string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return b, nil
}

func (bearer) RequireTransportSecurity() bool { return true }
