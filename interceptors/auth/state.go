package auth

import (
	"cmp"
	"net"
	"slices"
	"time"
)

// Connection is a connection on which both ends are proven.
type Connection struct {
	// Peer is the workload at the other end.
	Peer Peer
	// Role is this end's part: "client" or "server".
	Role string
	// Remote is the address of the other end.
	Remote net.Addr
	// Since is when the handshake was over.
	Since time.Time
}

// Connections lists the connections that are open, by peer and age. It is for operators; a handler asks
// [PeerFromContext].
func (i *Identity) Connections() []Connection {
	var list []Connection
	for _, l := range i.links.all() {
		if l.raw != nil {
			list = append(list, Connection{Peer: l.peer, Role: l.role, Remote: l.raw.RemoteAddr(), Since: l.term.start})
		}
	}
	slices.SortFunc(list, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(a.Peer.ID.String(), b.Peer.ID.String()), a.Since.Compare(b.Since))
	})
	return list
}

// Trust is what an [Identity] trusts at one moment.
type Trust struct {
	// Source is where the keys come from: a directory.
	Source string
	// Keys is how many keys are trusted.
	Keys int
	// Generation counts the changes of the set of trusted keys.
	Generation uint64
	// Read is when the keys were last read; zero means never.
	Read time.Time
	// Skipped says which files were not believed, and why.
	Skipped []error
	// Err is why the last reading failed. Keys of an earlier one may still be trusted.
	Err error
}

// reporter is an anchor that can say what it trusts.
type reporter interface{ report() Trust }

// Trust tells what is trusted now. It reports false before the first [Identity.Check] without error and after Close.
func (i *Identity) Trust() (Trust, bool) {
	c := i.ready.Load()
	if c == nil {
		return Trust{}, false
	}
	r, ok := c.trust.(reporter)
	if !ok {
		return Trust{}, false
	}
	return r.report(), true
}
