// Package tokens holds the sources of the tokens by which a client in token mode proves who it is: a [File], a [Text]
// for tests and tools, and [FromIssuer], the client of an issuer's token endpoint. [Keep] keeps the tokens of any other
// source and renews them ahead of time. Hand a source to auth.WithTokenSource, or, for identity tokens, to auth.Issued.
package tokens
