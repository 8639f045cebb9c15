package issuer

import "time"

// KeyState is the present use of a key.
type KeyState struct {
	// KeyID is its thumbprint, which is the kid of its tokens.
	KeyID string
	// Use is "signing", "next", "retiring" or "published".
	Use string
	// Until is the time at which a next key starts to sign, or a retiring key is removed. It is zero for other keys.
	Until time.Time
}

// State returns the published keys: first those that never sign here, then the others in the order in which they sign.
func (k *Keys) State() []KeyState {
	now, list := time.Now(), k.published()
	signing := list.signing(now)
	states := make([]KeyState, len(list))
	for n, key := range list {
		s := KeyState{KeyID: key.public.KeyID(), Use: "published"}
		switch {
		case key.signer == nil:
		case n < signing:
			s.Use, s.Until = "retiring", list[n+1].from.Add(keyRetirement)
		case n == signing:
			s.Use = "signing"
		default:
			s.Use, s.Until = "next", key.from
		}
		states[n] = s
	}
	return states
}
