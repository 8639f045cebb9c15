package file

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/internal/privatefile"
)

const (
	// entryVersion is the version of an entry. Entries of other versions are ignored.
	entryVersion = 1
	suffix       = ".json"
	folderMode   = 0o700
)

// entry is the content of one file.
type entry struct {
	Version int `json:"version"`
	// Holder is the ID of the lease that the file belongs to. Two leases never share a file, so each file has one writer.
	Holder string `json:"holder"`
	// Announced is the time of the announcement. If several entries have the same ID, the latest one is used.
	Announced time.Time       `json:"announced"`
	Expires   time.Time       `json:"expires"`
	Instance  json.RawMessage `json:"instance"`

	instance driver.Instance
}

// fileName is the name of the entry of a holder. It contains the ID, for readers of the folder and so that the entries
// of an ID are found without reading every file.
func fileName(id, holder string) string { return namePrefix(id) + holder + suffix }

func namePrefix(id string) string {
	const most = 120 // file systems accept 255 bytes
	escaped := url.PathEscape(id)
	return escaped[:min(len(escaped), most)] + "."
}

func isEntry(name string) bool { return strings.HasSuffix(name, suffix) }

// beats reports whether this entry is used instead of another entry of the same ID.
func (e *entry) beats(other *entry) bool {
	if e.Announced.Equal(other.Announced) {
		return e.Holder > other.Holder
	}
	return e.Announced.After(other.Announced)
}

func parseEntry(text []byte) (*entry, error) {
	e := new(entry)
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(e); err != nil {
		return nil, fmt.Errorf("the text is not an entry in JSON: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("the text is not an entry in JSON: there is text after it")
	}
	if e.Version != entryVersion {
		return nil, fmt.Errorf("an entry of version %d; want %d", e.Version, entryVersion)
	}
	var err error
	e.instance, err = driver.Parse(e.Instance)
	return e, err
}

func readEntry(root *os.Root, name string) (*entry, error) {
	text, err := privatefile.Read(root, name, entryMost)
	if err != nil {
		return nil, err
	}
	return parseEntry(text)
}

// write writes the file of the entry.
func (e *entry) write(root *os.Root) error {
	in, err := e.instance.Text()
	if err != nil {
		return err
	}
	e.Version, e.Instance = entryVersion, in
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := root.Mkdir(e.instance.Service, folderMode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return privatefile.Replace(root, e.path(), text, false)
}

func (e *entry) path() string {
	return path.Join(e.instance.Service, fileName(e.instance.ID, e.Holder))
}
