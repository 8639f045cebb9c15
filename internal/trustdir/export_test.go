package trustdir

import (
	"io/fs"
	"os"
	"time"

	"github.com/parley-rpc/parley/internal/jose"
	"github.com/parley-rpc/parley/internal/safepath"
)

var (
	ParseEntry  = parseEntry
	FormatEntry = formatEntry
	FileName    = fileName
	SplitID     = splitID
)

// ActAs makes the directory see its files as another user would, or on other mounts.
func (d *Directory) ActAs(self int, owner func(fs.FileInfo) (int, bool), readOnly func(*os.File) bool) {
	d.reader.guard = safepath.NewAs(self, owner, readOnly)
}

// LoadKeyAs is LoadKey as another user would see it, or on other mounts.
func LoadKeyAs(
	path string, self int, owner func(fs.FileInfo) (int, bool), readOnly func(*os.File) bool,
) (*jose.PrivateKey, error) {
	return loadKey(safepath.NewAs(self, owner, readOnly), path)
}

// Clock makes the directory read the time from now. It must be called before Start.
func (d *Directory) Clock(now func() time.Time) { d.now = now }

// Hold makes the directory hold fewer files.
func (d *Directory) Hold(files int) { d.reader.limit = files }

// CheckedFiles is how many files one reading checks.
const CheckedFiles = checkedFiles
