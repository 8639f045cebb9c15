// Package issuer is a login system for services: an OAuth 2.0 authorization server that authenticates services by their
// keys. It does not authenticate people. It is an [http.Handler] and works with any http.Server with TLS.
//
//	keys := issuer.NewKeys(signer)
//	services := issuer.NewStatic(issuer.Client{ID: "spiffe://shop.example/orders", JWKS: jwks, Own: issuer.Grant{...}})
//	id := issuer.New("https://id.shop.example", keys, services)
//	defer id.Close()
//	if err := id.Check(); err != nil { ... }
//	server := &http.Server{Addr: ":8443", Handler: id, ReadTimeout: 10 * time.Second}
//
// A service authenticates with a token that it signs with its own key (private_key_jwt, RFC 7523). That token is valid
// for this issuer and one request. The service gets an access token in its own name (client credentials, RFC 6749
// section 4.4), or it exchanges the access token of an end user for a token in the user's name (token exchange, RFC
// 8693): a transaction token for its trust domain, or an access token for one other service. An exchanged token never
// has more scopes or a later expiry than the user's token.
//
// There are no shared secrets, no refresh tokens and no sessions. A verifier of the tokens needs only the key set at
// /jwks.json. Package interceptors/auth verifies them with WithIssuers, WithUserIssuers and WithTransactionTokens, and
// tokens.FromIssuer is a client of the issuer.
//
// By default, the issuer does not write to disk: used assertions are remembered only in the memory of one process, and
// a restarted one accepts a captured assertion once more. A [State] keeps keys, registrations, used assertions and
// revocations in a store, such as the file of package issuer/bolt.
package issuer
