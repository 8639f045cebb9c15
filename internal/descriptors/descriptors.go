// Package descriptors sizes defaults by the number of files and connections that the process may have open.
package descriptors

// Share returns most, or a quarter of the descriptors that this process may have open, whichever is less. It is at
// least
// 16. Where the system has no limit, it is most.
func Share(most int) int {
	limit, limited := limit()
	return share(most, limit, limited)
}

const (
	// part is the share of all descriptors that one default may take.
	part = 4
	// least is the result for a process that can hardly work.
	least = 16
)

func share(most int, limit uint64, limited bool) int {
	if !limited || limit/part >= uint64(most) { //nolint:gosec // a default is positive
		return most
	}
	return min(most, max(least, int(limit/part))) //nolint:gosec // less than most
}
