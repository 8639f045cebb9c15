package issuer_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/issuer"
)

// A service may ask so often and no more, and others do not feel it.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, issuer.WithRate(2, 3))
		ask := func(want int) {
			t.Helper()
			if r := s.post(s.ownForm()); r.status != want {
				t.Errorf("%d %v, want %d", r.status, r.members, want)
			}
		}
		for range 3 {
			ask(http.StatusOK)
		}
		r := s.post(s.ownForm())
		s.refuses(t, r, http.StatusTooManyRequests, "temporarily_unavailable")
		if r.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After: %s", r.header.Get("Retry-After"))
		}
		form := s.formWith(sign(t, s.orders, assertionType, honest(orders)))
		s.token(t, s.post(form), "at+jwt")
		time.Sleep(500 * time.Millisecond)
		ask(http.StatusOK)
		ask(http.StatusTooManyRequests)
		time.Sleep(time.Hour)
		for range 3 {
			ask(http.StatusOK)
		}
		ask(http.StatusTooManyRequests)
	})
}

// Who only claims to be a service does not use its rate up, and an assertion that was refused for its rate is not used
// up either.
func TestRateIsTheProvenClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, issuer.WithRate(1, 1))
		for range 10 {
			s.refuses(t, s.post(s.formWith(sign(t, newKey(t), assertionType, honest(edge)))), 400, "invalid_client")
		}
		s.token(t, s.post(s.ownForm()), "at+jwt")
		form := s.ownForm()
		s.refuses(t, s.post(form), http.StatusTooManyRequests, "temporarily_unavailable")
		time.Sleep(time.Second)
		s.token(t, s.post(form), "at+jwt")
	})
}

// The memory of assertions is bounded, and no client can fill it for another.
func TestAttack61MemoryOfAssertions(t *testing.T) {
	const room = 1 << 16
	synctest.Test(t, func(t *testing.T) {
		is := newShop(t).id
		for n := range room {
			if fresh, full := issuer.UseAssertion(is, edge, strconv.Itoa(n)); !fresh || full {
				t.Fatal(n)
			}
		}
		if _, full := issuer.UseAssertion(is, edge, "x"); !full {
			t.Error("there is more room than that")
		}
		if fresh, full := issuer.UseAssertion(is, orders, "x"); !fresh || full {
			t.Error("one client has filled the memory for another")
		}
		if fresh, full := issuer.UseAssertion(is, edge, "0"); fresh || full {
			t.Error("the first is forgotten")
		}
		time.Sleep(2*time.Minute - time.Nanosecond)
		if _, full := issuer.UseAssertion(is, edge, "x"); !full {
			t.Error("an assertion is forgotten that may be good still")
		}
		time.Sleep(time.Nanosecond)
		if fresh, _ := issuer.UseAssertion(is, orders, "0"); !fresh {
			t.Error("the jti of one client is used up for another")
		}
		if fresh, _ := issuer.UseAssertion(is, edge, "0"); !fresh {
			t.Error("an assertion is remembered for longer than it could be good")
		}
	})
}

// A flood of signatures makes others wait for a second, and then says that it is too much. Nobody is refused for good.
func TestSignaturesWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		leave := issuer.HoldSignatureChecks(t, s.id)
		began := time.Now()
		s.refuses(t, s.post(s.ownForm()), http.StatusServiceUnavailable, "temporarily_unavailable")
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
		}
		leave()
		if r := s.post(s.ownForm()); r.status != http.StatusOK {
			t.Errorf("afterwards: %d %v", r.status, r.members)
		}
	})
}

// What fails behind the issuer is 503 and not a judgement, and is not shown.
func TestWhatFailsBehind(t *testing.T) {
	down := errors.New("SECRET")
	for name, test := range map[string]struct {
		registry func(s *shop) registryOf
		status   int
		code     string
	}{
		"down": {func(*shop) registryOf {
			return func(context.Context, string) (issuer.Client, error) { return issuer.Client{}, down }
		}, 503, "temporarily_unavailable"},
		"another client": {func(s *shop) registryOf {
			return func(context.Context, string) (issuer.Client, error) { return s.ordersClient(), nil }
		}, 503, "temporarily_unavailable"},
		"unknown": {func(*shop) registryOf {
			return func(context.Context, string) (issuer.Client, error) { return issuer.Client{}, issuer.ErrUnknownClient }
		}, 400, "invalid_client"},
		"no keys": {func(s *shop) registryOf {
			return func(context.Context, string) (issuer.Client, error) {
				c := s.edgeClient()
				c.JWKS = []byte("{")
				return c, nil
			}
		}, 400, "invalid_client"},
		"an audience for all": {func(s *shop) registryOf {
			return func(context.Context, string) (issuer.Client, error) {
				c := s.edgeClient()
				c.Own.Audiences = []string{"*"}
				return c, nil
			}
		}, 400, "unauthorized_client"},
		"nothing of its own": {func(s *shop) registryOf {
			return func(context.Context, string) (issuer.Client, error) {
				c := s.edgeClient()
				c.Own = issuer.Grant{}
				return c, nil
			}
		}, 400, "unauthorized_client"},
		"a token that is too long": {func(s *shop) registryOf {
			return func(context.Context, string) (issuer.Client, error) {
				c := s.edgeClient()
				c.Claims = map[string]any{"note": strings.Repeat("n", 8000)}
				return c, nil
			}
		}, 500, "server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.registry = test.registry(s)
			s.open()
			r := s.post(s.ownForm())
			s.refuses(t, r, test.status, test.code)
			if len(r.members) != 1 {
				t.Errorf("the answer says more: %v", r.members)
			}
		})
	}
}

// A registry that does not answer keeps nobody waiting.
func TestSlowRegistry52(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		s.registry = registryOf(func(ctx context.Context, _ string) (issuer.Client, error) {
			<-ctx.Done()
			return issuer.Client{}, ctx.Err()
		})
		s.open()
		start := time.Now()
		s.refuses(t, s.post(s.ownForm()), http.StatusServiceUnavailable, "temporarily_unavailable")
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("it took %v", waited)
		}
	})
}

// While the keys of the login service cannot be had, a user's token is neither good nor bad.
func TestLoginServiceIsDown50(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		login := &endpoint{err: errors.New("down")}
		s.id = issuer.New(issuerName, s.keys, s.registry, issuer.WithTransactions("shop.example"),
			issuer.WithRoundTripper(login),
			issuer.WithLogin(issuer.Login{Name: loginName, JWKSURL: loginName + "/jwks"}))
		defer func() { _ = s.id.Close() }()
		if err := s.id.Check(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.refuses(t, s.post(s.aliceForm()), http.StatusServiceUnavailable, "temporarily_unavailable")
		s.token(t, s.post(s.ownForm()), "at+jwt")
		login.publish(jwks(t, s.login))
		time.Sleep(2 * time.Second) // the first repetition comes within one
		s.token(t, s.post(s.aliceForm()), "txntoken+jwt")
		if err := s.id.Close(); err != nil {
			t.Error(err)
		}
		s.refuses(t, s.post(s.aliceForm()), http.StatusServiceUnavailable, "temporarily_unavailable")
	})
}

// No log shows a token, an assertion or who a user is, whatever happens.
func TestAttack70NoSecretsInLogs(t *testing.T) {
	s := newShop(t)
	assertion := sign(t, s.edge, assertionType, honest(edge))
	user := sign(t, s.login, "at+jwt", alice())
	first := s.post(change(s.userForm(user), map[string][]string{"client_assertion": {assertion}}))
	s.post(s.formWith(assertion))                    // replayed
	s.post(s.formWith(assertion[:len(assertion)-1])) // broken
	s.post(s.userForm(user[:len(user)-4] + "AAAA"))  // forged
	s.post(change(s.ownForm(), map[string][]string{
		"scope":    {"SECRET"},
		"resource": {"x"},
	})) // what is asked for in vain
	s.post(s.formWith(sign(t, newKey(t), assertionType, claims{"iss": strings.Repeat("i", 4000)}))) // a long name
	log := s.log.String()
	for _, token := range []string{assertion, user, first.text("access_token")} {
		for part := range strings.SplitSeq(token, ".") {
			if part == "" || strings.Contains(log, part) {
				t.Errorf("the log shows %q", part)
			}
		}
	}
	for _, text := range []string{"alice", "SECRET", "iiiiiiiiii"} {
		if strings.Contains(log, text) {
			t.Errorf("the log shows %s", text)
		}
	}
	for _, text := range []string{
		"token issued", "user=", "the assertion was used before", "signature",
		`client=` + edge,
	} {
		if !strings.Contains(log, text) {
			t.Errorf("the log does not show %s:\n%s", text, log)
		}
	}
	if _, err := jose.Unproven(first.text("access_token")); err != nil {
		t.Error(err)
	}
}

// A client that is refused again and again is logged once in a while, with how often it was refused meanwhile.
func TestRefusalsThatRepeatAreLoggedOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t)
		intrude := func(times int) {
			for range times {
				s.refuses(t, s.post(s.formWith(sign(t, newKey(t), assertionType, honest(edge)))), 400, "invalid_client")
			}
		}
		intrude(50)
		time.Sleep(10 * time.Second)
		intrude(1)
		log := s.log.String()
		if n := strings.Count(log, "parley: token refused"); n != 2 || !strings.Contains(log, "repeated=49") ||
			!strings.Contains(log, "agent=") {
			t.Errorf("%d lines, want 2, the second with repeated=49:\n%s", n, log)
		}
		expired := honest(edge)
		expired["iat"], expired["exp"] = in(-time.Hour), in(-time.Hour/2)
		s.refuses(t, s.post(s.formWith(sign(t, s.edge, assertionType, expired))), 400, "invalid_client")
		if n := strings.Count(s.log.String(), "parley: token refused"); n != 3 {
			t.Errorf("%d lines, want a third one for another cause:\n%s", n, s.log)
		}
	})
}
