// Package verify checks tokens and proofs, in one order: form, issuer, key, signature, claims, times. A [Profile] says
// what the tokens of one issuer must look like, [CheckToken] checks one token by it, and a [Verifier] does so behind a
// [Cache]. [Trust] says which key belongs to which workload: a trust directory, or issuers of identity tokens. Package
// auth and the issuer check tokens by it alone, which is why it stands here and not below either of them.
package verify
