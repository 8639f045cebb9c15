// Package keyset keeps the public keys of one issuer: a JSON Web Key Set (RFC 7517) that is read again and again, so
// that a key which appears in it is trusted and one which disappears is not. [Static] keys never change; the others lie
// in a [File], at a [URL] or with an OpenID [Provider], and each may be signed by an offline root, see
// [WithPinnedRoot].
//
// A look-up reads a snapshot, without a lock and without waiting, whatever the source does meanwhile. A source that is
// down, slow or broken leaves the last good set in force for at most 24 hours; after that every key is
// [ErrUnavailable]. A set is read key by key: one that is malformed, weak or of an unknown kind is skipped and named,
// and takes no other out of force, whatever its key ID; a set in which no key is good changes nothing.
//
// What is fetched may stand behind an authority, a proxy and a login of a company's own: see [WithCAFile], [WithProxy],
// [WithBearerTokenFile].
//
// A key that is not known yet makes the source be read at once, at most once in 10 seconds, however many calls ask for
// it.
package keyset
