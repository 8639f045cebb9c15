package auth

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/parley-rpc/parley/internal/trustdir"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/keyset"
	"github.com/parley-rpc/parley/principal"
)

// Connection is a connection on which both ends are proven.
type Connection struct {
	// Peer is the workload at the other end.
	Peer principal.Peer
	// Role is this end's part: "client" or "server".
	Role string
	// Remote is the address of the other end.
	Remote net.Addr
	// Since is when the handshake was over.
	Since time.Time
}

// Connections lists the connections that are open, by peer and age. It is for operators; a handler asks
// [principal.PeerFromContext].
func (i *workload) Connections() []Connection {
	var list []Connection
	for _, s := range i.sessions.All() {
		if s.Raw != nil {
			list = append(list, Connection{Peer: s.Peer, Role: s.Role, Remote: s.Raw.RemoteAddr(), Since: s.Life.Start()})
		}
	}
	slices.SortFunc(list, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(a.Peer.ID.String(), b.Peer.ID.String()), a.Since.Compare(b.Since))
	})
	return list
}

// Trust is a source of trusted keys at one moment.
type Trust struct {
	// Of is the source of the keys: "trust directory", or the name of an issuer.
	Of string
	// Source is where they come from: a directory, a file, a URL.
	Source string
	// Keys is how many are trusted.
	Keys int
	// Files is the number of files in a trust directory, and Limit how many it may hold. Both are 0 for other sources.
	Files, Limit int
	// Generation counts the changes of the set of keys.
	Generation uint64
	// Read is when the source last confirmed the keys; zero means never.
	Read time.Time
	// Ends is when they are too old, unless the source confirms them again; zero when they never are.
	Ends time.Time
	// Skipped says which keys were not believed, and why.
	Skipped []error
	// Err is why the last reading failed. Keys of an earlier one may still be trusted.
	Err error
}

// NearlyFull reports whether a trust directory holds 80 % of the files that it may hold, or more. Further names are
// refused when it is full.
func (t Trust) NearlyFull() bool { return trustdir.NearlyFull(t.Files, t.Limit) }

// Trust returns the present trust: the trust directory or the keys of the issuers of workloads, and then the keys of
// the issuers of each server. It is empty before the first [Identity.Check] without error and after Close.
func (i *workload) Trust() []Trust {
	c := i.ready.Load()
	if c == nil {
		return nil
	}
	var list []Trust
	seen := map[*keyset.Set]bool{}
	add := func(of string, set *keyset.Set) {
		if set != nil && !seen[set] {
			seen[set] = true
			list = append(list, trustIn(of, set))
		}
	}
	if d, ok := c.trust.(verify.Directory); ok {
		list = append(list, trustInDirectory(d.Dir))
	}
	for _, issuer := range i.kind.issuers() {
		add(issuer.Name, issuer.Keys)
	}
	i.mu.Lock()
	servers := i.servers
	i.mu.Unlock()
	for _, s := range servers {
		for _, of := range s.keys() {
			add(of.issuer, of.keys)
		}
	}
	return list
}

func trustIn(of string, set *keyset.Set) Trust {
	s := set.State()
	t := Trust{Of: of, Source: s.Source, Keys: len(s.Keys), Generation: s.Generation, Read: s.Read, Ends: s.Ends, Err: s.Err}
	for _, skipped := range s.Skipped {
		t.Skipped = append(t.Skipped, fmt.Errorf("%s: %w", skipped.Key, skipped.Err))
	}
	return t
}

func trustInDirectory(d *trustdir.Directory) Trust {
	s := d.State()
	return Trust{
		Of: "trust directory", Source: s.Dir, Keys: s.Keys, Files: s.Files, Limit: s.Limit,
		Generation: s.Generation, Read: s.Read, Ends: s.Ends, Skipped: s.Skipped, Err: s.Err,
	}
}
