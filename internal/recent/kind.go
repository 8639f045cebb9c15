package recent

// Kind is a number for what a cause says, whatever it says it of: texts in double quotes and digits play no part, so
// that a peer who chooses them does not make each of its mistakes another one. Causes of different kinds are different
// events, and the first must not hide the second.
func Kind(cause string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a, 64 bits
	kind := uint64(offset)
	quoted := false
	for i := 0; i < len(cause); i++ {
		switch c := cause[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++ // an escaped quote ends nothing
		case quoted || '0' <= c && c <= '9':
		default:
			kind = (kind ^ uint64(c)) * prime
		}
	}
	return kind
}
