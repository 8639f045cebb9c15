// Package store defines where an issuer keeps its state: its signing keys, the registrations of its clients, used
// assertions, revocations and the audit trail. A [Store] holds records and changes several of them atomically. It does
// not know what they mean: package issuer gives them their meaning, once for all stores.
//
// [NewMemory] is a store for tests and development. Package issuer/bolt keeps the records in a file. A store for
// another database implements [Store] and passes issuer/storetest.
package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

var (
	// ErrNotFound is the error of [Store.Get] for a record that does not exist.
	ErrNotFound = errors.New("issuer: store: no such record")
	// ErrConflict is the error of [Store.Apply] if a record has another version than the change states. Another change
	// was first. The caller reads the records again and decides anew.
	ErrConflict = errors.New("issuer: store: the record was changed meanwhile")
	// ErrClosed is the error of every method after Close.
	ErrClosed = errors.New("issuer: store: it is closed")
)

// Kind is a kind of record. Names are unique within a kind. A kind consists of 1 to 32 characters a-z and 0-9.
type Kind string

// Record is a named value.
type Record struct {
	Kind Kind
	// Name has 1 to 2,048 bytes. The names of a kind are ordered by their bytes.
	Name string
	// Value has at most 1 MiB.
	Value []byte
	// Version changes with every change of the record, and no two values of one name ever have the same version. It is
	// never 0.
	Version uint64
	// Expires is when the record ceases to exist. Zero means never. A store keeps it to the second or more exactly.
	Expires time.Time
}

// Change creates, replaces or deletes one record.
type Change struct {
	Kind  Kind
	Name  string
	Value []byte
	// Version is the version that the record must have. 0 means that the record must not exist.
	Version uint64
	// Expires is when the new record ceases to exist. Zero means never.
	Expires time.Time
	// Delete deletes the record. Its Version is required.
	Delete bool
}

// Store keeps records. Its methods are safe for concurrent use, also by several processes if the database allows it.
//
// An implementation has these duties:
//
//  1. Apply is atomic: all of its changes take effect or none does, whatever fails or crashes in between. Two readers,
//     in any processes, see the changes of all Applies in the same order.
//  2. When Apply returns nil, its changes are durable: they outlast a crash of the process and of the machine.
//  3. When Apply returns an error other than [ErrConflict], the changes may have taken effect or may do so later. What
//     a method has returned is never undone.
//  4. A record that has expired does not exist for any method. The store removes it at some time by itself, so that
//     expired records do not fill it.
//  5. A method returns soon after its ctx has ended.
type Store interface {
	// Get returns a record, or [ErrNotFound].
	Get(ctx context.Context, kind Kind, name string) (Record, error)
	// List returns up to limit records of a kind whose names follow after, in the order of their names. Every name
	// follows "". Fewer than limit records mean that there are no more.
	List(ctx context.Context, kind Kind, after string, limit int) ([]Record, error)
	// Apply makes the changes, of which each names another record. If one of them does not meet the record that it
	// states, Apply changes nothing and returns [ErrConflict].
	Apply(ctx context.Context, changes ...Change) error
	// Snapshot yields all records as they are at one moment, ordered by kind and name. It ends with the first error.
	Snapshot(ctx context.Context) iter.Seq2[Record, error]
	// Close releases the store. It may be called several times.
	Close() error
}

// The limits of records and changes.
const (
	// MaxName is the maximum length of a name, in bytes.
	MaxName = 2048
	// MaxValue is the maximum length of a value, in bytes.
	MaxValue = 1 << 20
	// MaxChanges is the maximum number of changes in one Apply.
	MaxChanges = 256
	// maxKind is the maximum length of a kind.
	maxKind = 32
)

// Check returns the mistake in the changes of one [Store.Apply], or nil. Stores call it first.
func Check(changes []Change) error {
	if len(changes) > MaxChanges {
		return fmt.Errorf("issuer: store: %d changes in one Apply, at most %d are possible", len(changes), MaxChanges)
	}
	type place struct {
		kind Kind
		name string
	}
	seen := make(map[place]bool, len(changes))
	for _, c := range changes {
		switch at := (place{c.Kind, c.Name}); {
		case !c.Kind.valid():
			return fmt.Errorf("issuer: store: %q is no kind; use 1 to %d characters a-z and 0-9", c.Kind, maxKind)
		case c.Name == "" || len(c.Name) > MaxName:
			return fmt.Errorf("issuer: store: a name of kind %s has %d bytes; use 1 to %d", c.Kind, len(c.Name), MaxName)
		case len(c.Value) > MaxValue:
			return fmt.Errorf("issuer: store: a value of kind %s has %d bytes; at most %d are possible", c.Kind, len(c.Value),
				MaxValue)
		case c.Delete && c.Version == 0:
			return fmt.Errorf("issuer: store: a record of kind %s is deleted without its version", c.Kind)
		case seen[at]:
			return fmt.Errorf("issuer: store: one Apply changes a record of kind %s twice", c.Kind)
		default:
			seen[at] = true
		}
	}
	return nil
}

func (k Kind) valid() bool {
	for _, c := range []byte(k) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return k != "" && len(k) <= maxKind
}

// Expired reports whether a record with this expiry no longer exists.
func Expired(expires, now time.Time) bool { return !expires.IsZero() && !now.Before(expires) }
