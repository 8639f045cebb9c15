// Package bolt keeps the state of an issuer in one file, with the embedded database bbolt. One process has the file
// open at a time. It is the store for an issuer with one instance:
//
//	records, err := bolt.Open("/var/lib/parley/issuer.db")
//	...
//	defer records.Close()
//
// A change is on disk (fdatasync) before [Store.Apply] returns. Changes that wait for the disk at the same time are
// written together, so that a busy issuer does not pay for a write for each token.
//
// After a failed write, for example because the disk is full, the store answers nothing until a write has succeeded,
// which every method tries. Then the file has all changes that were confirmed.
package bolt
