// Package strictjson reads JSON objects that decide who may do what: the claims of tokens, keys, and the metadata of
// issuers. A text that two parsers could read differently is refused before any of it is used: duplicate members at any
// depth (names that differ only in case are duplicates), bytes after the object, invalid UTF-8, lone surrogates, NUL,
// too many levels or members. See RFC 8259 and RFC 8725 section 2.4.
//
// It stands beside package jose so that rules about claims are read without linking a JOSE library.
package strictjson
