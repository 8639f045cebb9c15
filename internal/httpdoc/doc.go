// Package httpdoc fetches small documents from servers that nobody has to trust with more than their content: key sets,
// discovery documents, the answers of token endpoints.
//
// It is an HTTP client of its own. It takes 5 seconds at most and 2 to connect, follows no redirect, asks no proxy of the
// environment, reads no more bytes than it was told, counted after decompression, and speaks HTTPS only; plain HTTP to a
// loopback address must be allowed explicitly.
package httpdoc
