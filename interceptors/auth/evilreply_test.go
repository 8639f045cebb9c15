package auth_test

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	policyv1 "github.com/parley-rpc/parley/gen/parley/policy/v1"
	paymentsv1 "github.com/parley-rpc/parley/gen/shop/payments/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/rpcerr"
)

// evilReplier is a server with a good TLS name that answers calls in token mode without a gate of its own.
type evilReplier struct {
	*tokenWorld
	header func(evilCall) []string // the proofs that it sends
	fail   error                   // what it answers in the place of a reply
}

// evilCall is a call that the evil server got.
type evilCall struct {
	testing.TB
	w      *world
	method string
	token  string
	nonce  string
}

// honest are the claims of an honest proof.
func (c evilCall) honest() claims {
	id := c.w.id("payments").String()
	return claims{
		"iss": id, "sub": id, "aud": c.w.id("orders").String(), "nonce": c.nonce, "ath": hash([]byte(c.token)),
		"iat": in(0), "exp": in(time.Minute),
	}
}

func (c evilCall) says(change claims) []string {
	return []string{sign(c, c.w.key("payments"), "parley-proof+jwt", c.honest().with(change))}
}

func newEvilReplier(t testing.TB) *evilReplier {
	w := newWorld(t)
	w.enroll("orders", "payments", "mallory", "revoked")
	w.revoke("revoked")
	roots, certificate := w.certificate()
	e := &evilReplier{}
	answer := func(ctx context.Context, method string) error {
		md, _ := metadata.FromIncomingContext(ctx)
		call := evilCall{TB: t, w: w, method: method, token: strings.TrimPrefix(strings.Join(md["authorization"], ""), "Bearer "), nonce: strings.Join(md["parley-nonce"], "")}
		if sent := e.header(call); len(sent) > 0 {
			if err := grpc.SetHeader(ctx, metadata.MD{"parley-proof": sent}); err != nil {
				t.Error(err)
			}
		}
		if e.fail != nil {
			_ = grpc.SetTrailer(ctx, metadata.Pairs(rpcerr.PushbackKey, "-1", rpcerr.UnprocessedKey, "1"))
		}
		return e.fail
	}
	s := serve(t, payments{},
		grpc.Creds(credentials.NewTLS(&tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true})),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := answer(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := answer(ss.Context(), info.FullMethod); err != nil {
				return err
			}
			return handler(srv, ss)
		}))
	e.tokenWorld = &tokenWorld{w, s, roots}
	return e
}

func TestAttack64And38ServerProofs(t *testing.T) {
	says := func(change claims) func(evilCall) []string {
		return func(c evilCall) []string { return c.says(change) }
	}
	by := func(service, typ string, change claims) func(evilCall) []string {
		return func(c evilCall) []string {
			return []string{sign(c, c.w.key(service), typ, c.honest().with(change))}
		}
	}
	const (
		mallory = "spiffe://shop.example/mallory"
		invalid = rpcerr.ServerProofInvalid
		missing = rpcerr.ServerProofMissing
		good    = rpcerr.Reason("")
	)
	for name, attack := range map[string]struct {
		send func(evilCall) []string
		want rpcerr.Reason
	}{
		"honest":                 {says(nil), good},
		"no proof":               {func(evilCall) []string { return nil }, missing},
		"empty":                  {func(evilCall) []string { return []string{""} }, invalid},
		"two of them":            {func(c evilCall) []string { return append(c.says(nil), c.says(nil)...) }, invalid},
		"insider as the server":  {by("mallory", "parley-proof+jwt", nil), invalid},
		"insider, own iss":       {by("mallory", "parley-proof+jwt", claims{"iss": mallory}), invalid},
		"insider, own sub":       {by("mallory", "parley-proof+jwt", claims{"sub": mallory}), invalid},
		"insider, own name":      {by("mallory", "parley-proof+jwt", claims{"iss": mallory, "sub": mallory}), rpcerr.ServerIdentityMismatch},
		"revoked key":            {by("revoked", "parley-proof+jwt", nil), invalid},
		"the client's own key":   {by("orders", "parley-proof+jwt", nil), invalid},
		"the client's own token": {func(c evilCall) []string { return []string{c.token} }, invalid},
		"typ of a bearer token":  {by("payments", "at+jwt", nil), invalid},
		"typ of a handshake":     {by("payments", "parley-server+jwt", nil), invalid},
		"aud of another client":  {says(claims{"aud": mallory}), invalid},
		"aud missing":            {says(claims{"aud": nil}), invalid},
		"aud in a list":          {says(claims{"aud": []string{"spiffe://shop.example/orders"}}), invalid},
		"wrong nonce":            {says(claims{"nonce": strings.Repeat("A", 22)}), invalid},
		"nonce missing":          {says(claims{"nonce": nil}), invalid},
		"ath of another token":   {says(claims{"ath": hash(nil)}), invalid},
		"ath missing":            {says(claims{"ath": nil}), invalid},
		"expired":                {says(claims{"iat": in(-91 * time.Second), "exp": in(-31 * time.Second)}), invalid},
		"not yet valid":          {says(claims{"iat": in(31 * time.Second), "exp": in(60 * time.Second)}), invalid},
		"exp missing":            {says(claims{"exp": nil}), invalid},
		"lifetime of 61 s":       {says(claims{"exp": in(61 * time.Second)}), invalid},
		"another claim":          {says(claims{"jti": "1"}), invalid},
		"mth of another method":  {says(claims{"mth": "/a.B/C"}), invalid},
		"cth without a token":    {says(claims{"cth": hash(nil)}), invalid},
		"44 padding":             {func(c evilCall) []string { return []string{c.says(nil)[0] + "="} }, invalid},
		"signature of another": {func(c evilCall) []string {
			s := c.says(nil)[0]
			return []string{s[:len(s)-86] + strings.Repeat("A", 86)}
		}, invalid},
		"mth of this method, unasked": {func(c evilCall) []string { return c.says(claims{"mth": c.method}) }, good},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEvilReplier(t)
				e.header = attack.send
				cc := e.channel()
				code := codes.Unauthenticated
				if attack.want == good {
					code = codes.OK
				}
				for range 2 { // the second finds what the first left in a cache
					var header, trailer metadata.MD
					refused(t, "unary call", quote(t.Context(), cc, grpc.Header(&header), grpc.Trailer(&trailer)), code, attack.want)
					if attack.want != good && len(header)+len(trailer) != 0 {
						t.Errorf("the caller sees metadata of the impostor: %v %v", header, trailer)
					}
					stream, err := paymentsv1.NewPaymentsServiceClient(cc).WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{})
					if err != nil {
						t.Fatal(err)
					}
					_, err = stream.Header()
					refused(t, "header of a stream", err, code, attack.want)
					_, err = watch(t.Context(), cc)
					refused(t, "stream", err, code, attack.want)
				}
			})
		})
	}
}

// In call mode a proof is good for its method and its call alone.
func TestAttack64ProofOfAnotherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvilReplier(t)
		cc := e.channel(auth.WithProofPolicy(tableOf(t, proofs(policyv1.Proof_PROOF_CALL))))
		e.header = func(c evilCall) []string { return c.says(nil) }
		refused(t, "a proof for the session", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		var last []string
		e.header = func(c evilCall) []string { last = c.says(claims{"mth": c.method}); return last }
		if err := quote(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		e.header = func(evilCall) []string { return last }
		refused(t, "the proof of the last call", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		_, err := watch(t.Context(), cc)
		refused(t, "the proof of the last call, in a stream", err, codes.Unauthenticated, rpcerr.ServerProofInvalid)
	})
}

// A proof that was checked is checked again when its time has come or the trust in its key has gone.
func TestAttack64RememberedProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvilReplier(t)
		var first []string
		e.header = func(c evilCall) []string {
			if first == nil {
				first = c.says(claims{"exp": in(10 * time.Second)})
			}
			return first
		}
		cc := e.channel()
		if err := quote(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40*time.Second - time.Nanosecond)
		if err := quote(t.Context(), cc); err != nil {
			t.Errorf("within the skew: %v", err)
		}
		time.Sleep(time.Nanosecond)
		refused(t, "expired", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)

		time.Sleep(time.Minute)
		first = nil
		if err := quote(t.Context(), cc); err != nil {
			t.Fatal(err)
		}
		e.revoke("payments")
		time.Sleep(reread)
		refused(t, "revoked", quote(t.Context(), cc), codes.Unauthenticated, rpcerr.ServerProofInvalid)
	})
}

// A status without proof keeps its code and message, and nothing that would tell the client what to do.
func TestUnprovenStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvilReplier(t)
		said, err := status.New(codes.Unauthenticated, "go away").WithDetails(&errdetails.ErrorInfo{Domain: rpcerr.Domain, Reason: string(rpcerr.CredentialsExpired)})
		if err != nil {
			t.Fatal(err)
		}
		e.fail = said.Err()
		source := &scriptedTokens{tokens: []string{mint(t, e.world, "orders", nil), mint(t, e.world, "orders", claims{"jti": "2"})}}
		cc := e.channel(auth.WithTokenSource(source))
		stream := func(opts ...grpc.CallOption) error {
			s, err := paymentsv1.NewPaymentsServiceClient(cc).WatchCharge(t.Context(), &paymentsv1.WatchChargeRequest{}, opts...)
			if err != nil {
				return err
			}
			_, err = s.Recv()
			if len(s.Trailer()) != 0 {
				t.Errorf("the trailer of an unproven stream is %v", s.Trailer())
			}
			return err
		}
		unary := func(opts ...grpc.CallOption) error { return quote(t.Context(), cc, opts...) }
		for name, call := range map[string]func(...grpc.CallOption) error{"unary": unary, "stream": stream} {
			e.header = func(evilCall) []string { return nil }
			var trailer metadata.MD
			err := call(grpc.Trailer(&trailer))
			if !errors.Is(err, auth.ErrUnproven) || status.Code(err) != codes.Unauthenticated || status.Convert(err).Message() != "go away" ||
				rpcerr.ReasonOf(err) != "" || len(status.Convert(err).Details()) != 0 {
				t.Errorf("%s: %v", name, err)
			}
			if len(trailer) != 0 {
				t.Errorf("%s: the trailer of an unproven call is %v", name, trailer)
			}
			if source.refreshed != 0 {
				t.Errorf("%s: an unproven server made the client fetch a token", name)
			}
			e.header = func(c evilCall) []string { return c.says(claims{"nonce": "x"}) }
			refused(t, name+" with a bad proof", call(), codes.Unauthenticated, rpcerr.ServerProofInvalid)
		}
	})
}
