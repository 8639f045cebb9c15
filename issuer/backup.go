package issuer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/parley-rpc/parley/issuer/store"
)

// backupVersion is the version of the format of a backup.
const backupVersion = 1

// backupHead is the first line of a backup.
type backupHead struct {
	Version int       `json:"parley_issuer_backup"`
	At      time.Time `json:"at"`
}

// backupLine is a record.
type backupLine struct {
	Kind    string     `json:"kind"`
	Name    []byte     `json:"name"`
	Value   []byte     `json:"value"`
	Expires *time.Time `json:"expires,omitempty"`
}

// backupTail is the last line. The hash is SHA-256 of all lines before, so that a backup that was cut short or damaged
// is not restored.
type backupTail struct {
	Records int    `json:"records"`
	SHA256  string `json:"sha256"`
}

// Backup writes all records as they are at one moment. Signing keys are written as the key service has sealed them, so
// the backup and the secret of [Sealed] must be kept apart. [Restore] reads it, into any store.
func (s *State) Backup(ctx context.Context, w io.Writer) error {
	if err := backup(ctx, s.records, w); err != nil {
		return fmt.Errorf("issuer: Backup: %w", err)
	}
	return nil
}

func backup(ctx context.Context, records store.Store, w io.Writer) error {
	out := bufio.NewWriter(w)
	sum, count := sha256.New(), 0
	line := func(value any) error {
		text := append(encode(value), '\n')
		_, _ = sum.Write(text) // a hash takes everything
		_, err := out.Write(text)
		return err
	}
	if err := line(backupHead{backupVersion, time.Now().UTC()}); err != nil {
		return err
	}
	for r, err := range records.Snapshot(ctx) {
		if err != nil {
			return err
		}
		l := backupLine{Kind: string(r.Kind), Name: []byte(r.Name), Value: r.Value}
		if !r.Expires.IsZero() {
			l.Expires = new(r.Expires.UTC())
		}
		if err := line(l); err != nil {
			return err
		}
		count++
	}
	if err := line(backupTail{count, hex.EncodeToString(sum.Sum(nil))}); err != nil {
		return err
	}
	return out.Flush()
}

// Restore writes the records of a backup into an empty store, and returns when the backup was made. It reads the whole
// backup, and checks it, before it writes.
//
// What was changed after the backup is lost: revoke again what was revoked since then, and rotate, because a key that
// was made since then is no longer published. A restore that was cut short leaves a store that [OpenState] refuses.
func Restore(ctx context.Context, r io.Reader, records store.Store) (made time.Time, err error) {
	head, changes, err := readBackup(r)
	if err != nil {
		return time.Time{}, fmt.Errorf("issuer: Restore: %w", err)
	}
	empty, err := isEmpty(ctx, records)
	if err == nil && !empty {
		err = errors.New("the store is not empty; restore into a new one")
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("issuer: Restore: %w", err)
	}
	// The format is written last: without it, the state does not open.
	var format, batch []store.Change
	size := 0
	flush := func() error {
		err := records.Apply(ctx, batch...)
		batch, size = nil, 0
		return err
	}
	for _, c := range changes {
		if c.Kind == kindMeta && c.Name == nameFormat {
			format = append(format, c)
			continue
		}
		if len(batch) == store.MaxChanges || size+len(c.Value) > store.MaxValue {
			if err := flush(); err != nil {
				return time.Time{}, fmt.Errorf("issuer: Restore: %w", err)
			}
		}
		batch, size = append(batch, c), size+len(c.Value)
	}
	if err := flush(); err != nil {
		return time.Time{}, fmt.Errorf("issuer: Restore: %w", err)
	}
	if err := records.Apply(ctx, format...); err != nil {
		return time.Time{}, fmt.Errorf("issuer: Restore: %w", err)
	}
	return head.At, nil
}

// readBackup reads a whole backup.
func readBackup(r io.Reader) (head backupHead, changes []store.Change, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxBackupLine)
	sum := sha256.New()
	if !lines.Scan() || decodeStrictly(lines.Bytes(), &head) != nil || head.Version == 0 {
		return head, nil, errors.Join(errors.New("it is no backup of an issuer"), lines.Err())
	}
	if head.Version != backupVersion {
		return head, nil, fmt.Errorf("it has version %d, and this program reads %d", head.Version, backupVersion)
	}
	hashLine(sum, lines.Bytes())
	formats := 0
	for lines.Scan() {
		if bytes.HasPrefix(lines.Bytes(), []byte(`{"records":`)) {
			if err := checkTail(lines, sum, len(changes)); err != nil {
				return head, nil, err
			}
			if formats != 1 {
				return head, nil, errors.New("it has no format of the records")
			}
			return head, changes, nil
		}
		c, err := decodeLine(lines.Bytes())
		if err != nil {
			return head, nil, fmt.Errorf("line %d: %w", len(changes)+2, err)
		}
		if c.Kind == kindMeta && c.Name == nameFormat {
			formats++
		}
		changes = append(changes, c)
		hashLine(sum, lines.Bytes())
	}
	return head, nil, errors.Join(errors.New("it was cut short; its last line is missing"), lines.Err())
}

func hashLine(sum hash.Hash, line []byte) {
	_, _ = sum.Write(line) // a hash takes everything
	_, _ = sum.Write([]byte{'\n'})
}

func decodeLine(text []byte) (store.Change, error) {
	var l backupLine
	if err := decodeStrictly(text, &l); err != nil {
		return store.Change{}, err
	}
	c := store.Change{Kind: store.Kind(l.Kind), Name: string(l.Name), Value: l.Value}
	if l.Expires != nil {
		c.Expires = *l.Expires
	}
	return c, store.Check([]store.Change{c})
}

func checkTail(lines *bufio.Scanner, sum hash.Hash, count int) error {
	var tail backupTail
	if err := decodeStrictly(lines.Bytes(), &tail); err != nil {
		return err
	}
	if tail.Records != count || tail.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
		return errors.New("it is damaged: its last line has another number of records, or another hash")
	}
	if lines.Scan() {
		return errors.New("something follows its last line")
	}
	return lines.Err()
}
