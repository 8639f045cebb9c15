// Package issuer is the login system of services: an OAuth 2.0 authorization server that knows services by their keys, and no
// people. It is an [http.Handler] and works alone behind any http.Server with TLS.
//
//	keys := issuer.NewKeys(signer)
//	services := issuer.NewStatic(issuer.Client{ID: "spiffe://shop.example/orders", JWKS: jwks, Own: issuer.Grant{...}})
//	id := issuer.New("https://id.shop.example", keys, services)
//	defer id.Close()
//	if err := id.Check(); err != nil { ... }
//	server := &http.Server{Addr: ":8443", Handler: id, ReadTimeout: 10 * time.Second}
//
// A service logs in with a token that it signs with its own key (private_key_jwt, RFC 7523), good for this issuer and one
// request. It gets either an access token in its own name (client credentials, RFC 6749 section 4.4), or, for the access
// token of an end user that it was sent, a token in the user's name (token exchange, RFC 8693): a transaction token for its
// trust domain, or an access token for one other service. No token is ever wider or longer than what it was made from.
//
// There are no shared secrets, no refresh tokens and no sessions. Whoever verifies the tokens needs nothing but the key set
// at /jwks.json; package interceptors/auth does it with WithIssuers, WithUserIssuers and WithTransactionTokens, and is the
// client with tokens.FromIssuer.
//
// Nothing is written to disk. Which tokens of services were seen is known to one process, so that with several processes
// each takes such a token once, and one that was restarted once more.
package issuer
