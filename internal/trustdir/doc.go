// Package trustdir keeps the keys of workloads in a directory, without a server: who may write there decides who is who.
//
//	<dir>/trust/<trust domain>/<name>.<thumbprint>.json   {"id": "spiffe://<trust domain>/<name>", "jwk": {...}}
//	<dir>/revoked/<thumbprint>                            a key that is never trusted again, even if it comes back
//
// A file must agree with itself: folder, name and thumbprint in its path are those of the ID and the key inside. The name
// in the path is the ID's path with "/" written as "__" and "_" as "_-", so that it has only characters that a key of a
// Kubernetes ConfigMap may have, and no two IDs share a name: spiffe://shop/ns/pay is ns__pay, spiffe://shop/card_reader
// is card_-reader. An ID may have several keys; a key has one ID, and one that is found under two is refused for both.
//
// Every directory from the root of the file system down to the files must belong to root or to the user of this process,
// and nobody else may write there; so must the files. Sticky directories above <dir>, such as /tmp, and read-only mounts,
// such as ConfigMaps, are excepted. Symbolic links are followed as long as they stay below <dir>, and relative.
//
// The directory is read every 2 seconds. What a reading finds is the truth, so a file that is deleted revokes its key. A
// file that makes no sense is skipped and named; the others count. When the directory as a whole cannot be read, the last
// set of keys stays in use for at most an hour.
//
// Private keys lie elsewhere and are readable by their owner only; see [LoadKey].
package trustdir
