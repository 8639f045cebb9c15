// Package node holds a client in another language: a Node program that knows docs/protocol.md and no code of Parley
// calls a Parley server, and checks the test vectors. "make test-node" runs it.
package node
