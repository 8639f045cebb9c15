// Package httpdoc fetches small documents from servers that are trusted for the content only: key sets, discovery
// documents, the answers of token endpoints.
//
// A fetch takes at most 5 seconds, 2 of them to connect. It follows no redirect, ignores the proxies of the environment
// and reads at most a given number of bytes, counted after decompression. The URL is HTTPS; plain HTTP to a loopback
// address must be allowed explicitly.
package httpdoc
