// Package shares divides what is bounded among its users, so that the excess of one is not the refusal of another: a
// [Table] room for entries, a [Meter] how often each may do something.
package shares

import "errors"

var (
	// ErrShare says that the owner has used up its own share. Others still have room.
	ErrShare = errors.New("its share is used up")
	// ErrFull says that there is no room for any owner.
	ErrFull = errors.New("there is no room left")
)

// Table counts the entries of each owner in a table of a fixed size. An owner may have as many entries as there are
// free ones (dynamic thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998): one alone gets
// half of the table, k of them get a share of 1/(k+1) each, and as much is always left for one that comes new. It is
// not safe for concurrent use.
type Table[K comparable] struct {
	size, most int
	used       int
	held       map[K]int
}

// NewTable returns a table of size entries, of which one owner may have most at once. Zero means that only the free
// entries bound it.
func NewTable[K comparable](size, most int) *Table[K] {
	if most == 0 {
		most = size
	}
	return &Table[K]{size: size, most: most, held: map[K]int{}}
}

// Room is nil where the owner may have another entry, and else [ErrShare] or [ErrFull].
func (t *Table[K]) Room(owner K) error {
	free, held := t.size-t.used, t.held[owner]
	switch {
	case free == 0:
		return ErrFull
	case held >= t.most, held >= free:
		return ErrShare
	default:
		return nil
	}
}

// Take counts an entry of the owner if there is [Table.Room] for it.
func (t *Table[K]) Take(owner K) error {
	if err := t.Room(owner); err != nil {
		return err
	}
	t.used++
	t.held[owner]++
	return nil
}

// Give returns an entry that was taken.
func (t *Table[K]) Give(owner K) {
	t.used--
	if t.held[owner]--; t.held[owner] == 0 {
		delete(t.held, owner)
	}
}
