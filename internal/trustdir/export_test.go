package trustdir

import (
	"io/fs"
	"os"

	"github.com/parley-rpc/parley/internal/jose"
)

var (
	ParseEntry  = parseEntry
	FormatEntry = formatEntry
	FileName    = fileName
	SplitID     = splitID
)

// ActAs makes the directory see its files as another user would, or on other mounts.
func (d *Directory) ActAs(self int, owner func(fs.FileInfo) (int, bool), readOnly func(*os.File) bool) {
	d.reader.guard = guard{self: self, owner: owner, readOnly: readOnly}
}

// LoadKeyAs is LoadKey as another user would see it, or on other mounts.
func LoadKeyAs(path string, self int, owner func(fs.FileInfo) (int, bool), readOnly func(*os.File) bool) (*jose.PrivateKey, error) {
	return loadKey(guard{self: self, owner: owner, readOnly: readOnly}, path)
}
