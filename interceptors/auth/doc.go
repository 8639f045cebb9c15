// Package auth makes both ends of a gRPC connection prove who they are before the first byte of a request is sent, and
// decides on the server who may call which method.
//
// An [Identity] is one workload: its [principal.ID], its key, and the trust directory that says which key belongs to
// which ID. It yields the options of a client and of a server:
//
//	id := auth.TrustDir("/etc/parley", self)
//	cc, err := grpc.NewClient(target, id.DialOptions(orders)...)
//	srv := grpc.NewServer(id.ServerOptions(policy.FromProto())...)
//
// # Connection mode
//
// Between two Parley peers identity is proven once per connection, inside the transport credentials. After a TLS 1.3
// handshake with ALPN parley/1 the server, then the client, signs a short-lived JWT that is bound to the TLS session by
// its exporter. The server speaks first: one that cannot prove an expected ID learns nothing about the client and
// receives nothing of any request. The TLS certificate carries no identity; each server makes its own in memory.
// A connection ends with the credential behind it, at the latest after 30 minutes, and at once when the peer's key
// leaves the trust directory.
//
// # Token mode
//
// Through proxies that end TLS, and for callers that are not Parley, identity travels with each call: the caller sends
// "authorization: Bearer" with a token of type at+jwt, and the server answers with a signed proof that is bound to that
// token and to the caller's nonce. A server takes part where it was given a TLS certificate, see [WithBearer]; a client
// where its [Mode] says so, and only behind a TLS name that it has verified:
//
//	c := id.Channel([]principal.Pattern{orders}, auth.WithMode(auth.ModeToken))
//	cc, err := grpc.NewClient(target, c.DialOptions()...)
//
// By default a workload signs its tokens itself. [WithTokenSource] sets another source of tokens, and with
// [WithIssuers] a server accepts the tokens of an [Issuer].
//
// # Issuers
//
// Instead of a trust directory, an issuer may vouch for workloads, see [Issued]: it signs an identity token for each
// workload, which binds the workload's key to its ID. The keys of the issuer are a [keyset.Set], which is kept fresh
// from a file, a URL or an OpenID provider; calls do not wait for it. The tokens of a client come from a
// [tokens.Source], and [tokens.Keep] renews them in advance.
//
// Workloads sign only with EdDSA (Ed25519) or ES256. Keys of issuers may also be for ES384, RS256 and PS256, see
// [keyset.WithAlgorithms]. Each key is for one algorithm. Shared secrets and the algorithm "none" are refused.
//
// # Who may call
//
// A server asks the [policy.Table] for each method. A method without a policy is refused, and [Gate.Resolve] lists all
// of them at the start. Handlers read the proven caller with [principal.PeerFromContext]. [Gate.Explain] explains a
// decision.
//
// # The end user
//
// Beside the workload that calls, a call may name the user on whose behalf it does, by a token in a metadata key of its
// own: an access token ([WithUserIssuers]) or a transaction token ([WithTransactionTokens]). It never stands in for the
// workload's own proof. Handlers read the user with [principal.UserFromContext] and never see the token; [Forward]
// passes a transaction token on.
//
// # What a refused caller learns
//
// Statuses carry a constant text and one of the reasons of package rpcerr. Everything else goes to the log of this
// process: every handshake, refusal and change of trust with IDs, key ID, reason and trust generation, and never a
// token.
//
// How it works is described in docs/auth.md, and what goes over the wire in docs/protocol.md.
package auth
