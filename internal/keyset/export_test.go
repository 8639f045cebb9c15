package keyset

// Remembered counts what unknown keys have left behind: those that were not found, and those that are looked for.
func Remembered(s *Set) int {
	s.unknown.mu.Lock()
	defer s.unknown.mu.Unlock()
	return max(len(s.unknown.absent), len(s.unknown.order)) + len(s.unknown.wanted)
}
