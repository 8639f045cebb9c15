// Package trustdir keeps the keys of workloads in a directory, without a server. Write access to it is the power to be
// any workload.
//
//	<dir>/trust/<trust domain>/<name>.<thumbprint>.json   {"id": "spiffe://<trust domain>/<name>", "jwk": {...}}
//	<dir>/revoked/<thumbprint>                            a key that is never trusted again, even if it comes back
//
// A file must agree with itself: its path names the ID and the thumbprint of the key inside. The name in the path is
// the ID's path with "/" written as "__" and "_" as "_-", so that it has only characters that a key of a Kubernetes
// ConfigMap may have, and no two IDs share a name: spiffe://shop/ns/pay is ns__pay, spiffe://shop/card_reader is
// card_-reader. An ID may have several keys; a key has one ID, and a key that is found under two is refused for both.
//
// The directory, its folders and files must be safe as package safepath defines it. Symbolic links are followed as
// long as they are relative and stay below <dir>.
//
// The directory is read every 2 seconds. A successful reading is the truth, so to delete a file is to revoke its key.
// A file without meaning is skipped and named; the others count. Each folder counts by itself: the last keys of one
// that cannot be read stay in use for at most an hour, and removals and revocations elsewhere count. While revoked/
// cannot be read, no key is added. A full directory refuses further names only.
//
// An unchanged file is not read again. The kernel sets the change times by which that is known, on the file systems
// whose names are listed in package safepath; on others everything is read every time. There is no watch by inotify,
// because it sees neither the changes of other hosts nor a mount, is limited to 128 instances for each user, and needs
// a goroutine that waits for the kernel, which virtual time cannot have.
//
// Private keys lie elsewhere and are readable by their owner only; see [LoadKey].
package trustdir
