package issuer

import "time"

// KeyState is what a key is for at present.
type KeyState struct {
	// KeyID is its thumbprint, which its tokens state as kid.
	KeyID string
	// Use is "signing", "next", "retiring" or "published".
	Use string
	// Until is when a next key begins to sign, and when a retiring one is taken out. It is zero for the others.
	Until time.Time
}

// State lists the keys that are published: first those that do nothing else, then the others in the order in which they sign.
func (k *Keys) State() []KeyState {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	k.prune(now)
	signing := k.signing(now)
	states := make([]KeyState, len(k.list))
	for n, key := range k.list {
		s := KeyState{KeyID: key.public.KeyID(), Use: "published"}
		switch {
		case key.signer == nil:
		case n < signing:
			s.Use, s.Until = "retiring", k.list[n+1].from.Add(keyRetirement)
		case n == signing:
			s.Use = "signing"
		default:
			s.Use, s.Until = "next", key.from
		}
		states[n] = s
	}
	return states
}
