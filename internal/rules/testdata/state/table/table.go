package table

import (
	"embed"
	"encoding/base64"
	"errors"
	"io"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

var _ io.Reader = (*reader)(nil)

var (
	ErrGone        = errors.New("gone")
	ErrOver  error = overError{}
	Over     error = overError{} // want `error Over is not named like one`
	errSmall       = errors.New("small")
	gone           = errors.New("gone") // want `error gone is not named like one`
)

//go:embed page.html
var page embed.FS

//go:embed page.html
var Page string // want `exported package variable Page`

var (
	name     = regexp.MustCompile(`^a$`)
	strict   = base64.RawURLEncoding.Strict()
	prefix   = []byte("prefix")
	weights  = map[string]int{"a": 1, "b": -limit}
	handlers = []struct {
		name string
		run  func()
	}{{"one", one}, {"two", func() {}}}
)

const limit = 2

var (
	Weights = map[string]int{"a": 1}   // want `exported package variable Weights`
	now     = time.Now                 // want `package variable now is state`
	started = time.Now()               // want `package variable started is state`
	count   int                        // want `package variable count is state`
	total   atomic.Int64               // want `package variable total is state`
	lock    = sync.Mutex{}             // want `package variable lock is state`
	shared  = &reader{}                // want `package variable shared is state`
	cells   = []*reader{{}, &reader{}} // want `package variable cells is state`
	pool    = sync.Pool{New: nil}      // want `package variable pool is state`
)

func one() {
	weights["c"] = 3     // want `package variable weights is changed`
	delete(weights, "a") // want `package variable weights is changed`
	prefix[0]++          // want `package variable prefix is changed`
	page := ""
	page = "a local variable of the same name"
	_ = page
}

type overError struct{}

func (overError) Error() string { return "over" }
