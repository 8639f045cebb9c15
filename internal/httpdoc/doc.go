// Package httpdoc fetches small documents from servers that are trusted for the content only: key sets, discovery
// documents, the answers of token endpoints.
//
// A fetch takes at most 5 seconds, 2 of them to connect. It follows no redirect but a permanent one on the same host,
// ignores the proxies of the environment and reads at most a given number of bytes, counted after decompression. The
// URL is HTTPS; plain HTTP to a loopback address must be allowed explicitly. Certificates are verified by the
// authorities of the system or of a file, and a bearer token is shown to one origin alone.
package httpdoc
