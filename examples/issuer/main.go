// Issuer shows a login system for services. Orders logs in at the issuer with its own key and gets a token for
// payments, which has never heard of orders and believes the issuer. Then other callers request tokens that they may
// not have.
//
// It ends by itself, with status 0 if everything behaved as it says and 1 if anything did not.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/interceptors/auth/tokens"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\nissuer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "parley-issuer-") // new, and not readable by others
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := openShop(dir, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for i, scene := range []struct {
		title string
		play  func(context.Context, *shop) error
	}{
		{"Orders logs in with its own key and calls payments.", logIn},
		{"Orders asks for a token for ledger, which it was not granted.", elsewhere},
		{"Mallory says that it is orders.", pretender},
		{"The issuer gets another key.", anotherKey},
	} {
		fmt.Fprintf(out, "\n%d. %s\n", i+1, scene.title)
		if err := scene.play(ctx, s); err != nil {
			return fmt.Errorf("scene %d did not go as narrated: %w", i+1, err)
		}
	}
	fmt.Fprintln(out, "\nEverything behaved as narrated.")
	return nil
}

func logIn(ctx context.Context, s *shop) error {
	err := s.pay(ctx, "no token at all")
	if status.Code(err) != codes.Unauthenticated {
		return fmt.Errorf("without a token: %w", err)
	}
	s.say("Without a token: %v.", status.Code(err))
	token, err := s.tokens(s.orders).Token(ctx, s.payments.ID())
	if err != nil {
		return err
	}
	s.say("The issuer gives it a token until %s.", token.Expires.Format(time.TimeOnly))
	if err := s.pay(ctx, token.Value); err != nil {
		return err
	}
	if s.seen.ID != s.orders.ID() {
		return fmt.Errorf("payments saw %s", s.seen.ID)
	}
	s.say("Payments is called by %s, which may %s.", s.seen.ID.Service(), strings.Join(s.seen.Scopes, ", "))
	return nil
}

func elsewhere(ctx context.Context, s *shop) error {
	ledger, err := s.payments.ID().TrustDomain().ID("ledger")
	if err != nil {
		return err
	}
	_, err = s.tokens(s.orders).Token(ctx, ledger)
	return s.refused(err, "invalid_target")
}

func pretender(ctx context.Context, s *shop) error {
	_, err := s.tokens(s.mallory).Token(ctx, s.payments.ID())
	return s.refused(err, "invalid_client")
}

func anotherKey(_ context.Context, s *shop) error {
	next, err := newKey()
	if err != nil {
		return err
	}
	signs, err := s.keys.Rotate(next)
	if err != nil {
		return err
	}
	for _, key := range s.keys.State() {
		s.say("%s is %s.", key.KeyID, key.Use)
	}
	s.say("It signs in %v, when every verifier has read it.", time.Until(signs).Round(time.Minute))
	return nil
}

func (s *shop) refused(err error, code string) error {
	if err == nil || !strings.HasSuffix(err.Error(), ": "+code) {
		return fmt.Errorf("want %s, got %w", code, err)
	}
	s.say("Refused: %s.", code)
	return nil
}

// tokens asks the issuer in the name of a service.
func (s *shop) tokens(service *auth.Identity) *tokens.IssuerClient {
	return tokens.FromIssuer(s.web.URL, s.web.URL+"/token", service, tokens.WithRoundTripper(s.web.Client().Transport))
}

func (s *shop) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }
