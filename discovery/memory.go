package discovery

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/parley-rpc/parley/internal/privatefile"
)

// memory keeps the last good list of each service in a file. A nil memory keeps nothing.
type memory struct {
	path   string
	engine string
	logger *slog.Logger

	reading sync.Once
	writing sync.Mutex // held while the file is written

	mu      sync.Mutex
	lists   map[string]memorized
	timer   *time.Timer // runs until the file is written; nil when the file is up to date
	written time.Time
	closed  bool

	unwritten bool // err, if any, is an error of writing the file
	err       error
}

func newMemory(path, engine string, logger *slog.Logger) *memory {
	return &memory{
		path: path, engine: engine, logger: logger.With(slog.String("file", path)),
		lists: make(map[string]memorized),
	}
}

// recall returns the list of a service from an earlier process, and the time when the engine sent it.
func (m *memory) recall(service string) ([]Instance, time.Time) {
	if m == nil {
		return nil, time.Time{}
	}
	m.reading.Do(m.read)
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.lists[service]
	return known.Instances, known.Seen
}

// remember stores a good list. An empty list removes the service.
func (m *memory) remember(service string, list []Instance) {
	if m == nil {
		return
	}
	m.reading.Do(m.read)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || sameInstances(m.lists[service].Instances, list) {
		return
	}
	if len(list) == 0 {
		delete(m.lists, service)
	} else {
		m.lists[service] = memorized{Seen: time.Now(), Instances: list}
	}
	if m.timer == nil {
		m.timer = time.AfterFunc(max(0, memoryInterval-time.Since(m.written)), m.write)
	}
}

// close writes changes that are not written yet.
func (m *memory) close() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	m.closed = true
	late := m.timer != nil
	if late {
		m.timer.Stop()
	}
	m.mu.Unlock()
	if late {
		m.write()
	}
	m.writing.Lock() // waits for a write in progress
	defer m.writing.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.unwritten {
		return nil
	}
	return m.err
}

func (m *memory) describe() (string, error) {
	if m == nil {
		return "", nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.path, m.err
}

// read reads the file of an earlier process. An unusable file counts as no file.
func (m *memory) read() {
	text, err := m.text()
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var lists map[string]memorized
	if err == nil {
		lists, err = parseMemory(text, m.engine)
	}
	if err != nil {
		m.fail(
			"the last known good lists cannot be used; the program continues without them", fmt.Errorf("%s: %w", m.path, err),
		)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if lists != nil {
		m.lists = lists
	}
}

func (m *memory) text() ([]byte, error) {
	folder, err := privatefile.Open(filepath.Dir(m.path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = folder.Close() }()
	return privatefile.Read(folder, filepath.Base(m.path), memoryMost)
}

// write writes the file.
func (m *memory) write() {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.mu.Lock()
	m.timer, m.written, m.unwritten = nil, time.Now(), true
	text, err := formatMemory(m.engine, m.lists)
	m.mu.Unlock()
	if err == nil {
		err = m.replace(text)
	}
	if err != nil {
		m.fail("the last known good lists cannot be written", fmt.Errorf("%s: %w", m.path, err))
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unwritten, m.err = false, nil
}

func (m *memory) replace(text []byte) error {
	folder, err := privatefile.Make(filepath.Dir(m.path))
	if err != nil {
		return err
	}
	return errors.Join(privatefile.Replace(folder, filepath.Base(m.path), text, true), folder.Close())
}

// fail stores an error, and logs it unless it repeats the last one.
func (m *memory) fail(what string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil || m.err.Error() != err.Error() {
		m.logger.Warn(what, slog.Any("error", err))
	}
	m.err = err
}
