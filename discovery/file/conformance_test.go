package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/discovery/discoverytest"
	"github.com/parley-rpc/parley/discovery/driver"
	"github.com/parley-rpc/parley/discovery/file"
)

const interval = 250 * time.Millisecond

func TestConformance(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T) discoverytest.Harness {
		folder := filepath.Join(t.TempDir(), "parley")
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		return discoverytest.Harness{
			Driver:     func(t *testing.T) driver.Driver { return open(t, folder) },
			SetDown:    func(t *testing.T, down bool) { setDown(t, folder, down) },
			LoseLeases: func(t *testing.T) { remove(t, folder, "") },
			DeleteEntry: func(t *testing.T, service, id string) {
				remove(t, filepath.Join(folder, service), id)
			},
			TTL:     2 * time.Second,
			Visible: 2 * interval,
			Detect:  2 * interval,
		}
	})
}

func open(t *testing.T, folder string) *file.Driver {
	t.Helper()
	d, err := file.New(folder)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// setDown replaces the folder by a file, which simulates a broken mount.
func setDown(t *testing.T, folder string, down bool) {
	t.Helper()
	away := folder + ".away"
	if !down {
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(away, folder); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.Rename(folder, away); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// remove deletes the entries below a folder whose names begin with prefix.
func remove(t *testing.T, folder, prefix string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasPrefix(entry.Name(), prefix) {
			return os.Remove(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
