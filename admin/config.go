package admin

import (
	"io"
	"log/slog"
	"net/http"

	"github.com/parley-rpc/parley/waterfall"
)

// Config is what the admin surface shows. Every field may be empty; what is empty is not shown. Its functions are called
// on each request, from any goroutine, and should return at once.
type Config struct {
	// Service is the name of the service.
	Service string
	// Ring holds the recent calls.
	Ring *waterfall.Ring
	// Describe writes what the service is made of, as text.
	Describe func(io.Writer) error
	// Sections are the tables of the status view, in order.
	Sections []Section
	// LogLevel is shown and can be changed.
	LogLevel *slog.LevelVar
	// Mounts are further handlers, behind the same protection.
	Mounts []Mount
}

// Section is one table of the status view: services, endpoints, connections, budgets.
type Section struct {
	// Title is the heading of the table.
	Title string
	// Columns are the headings of its columns.
	Columns []string
	// Rows yields its current rows.
	Rows func() []Row
	// Empty is said when there are no rows.
	Empty string
}

// Row is one row of a table.
type Row struct {
	// State marks the row.
	State State `json:"state,omitempty"`
	// Cells are its texts, one for each column. What a peer wrote may stand here as it is.
	Cells []string `json:"cells"`
}

// State is how a row is doing. The zero value says nothing about it.
type State string

const (
	// Good is as it should be.
	Good State = "good"
	// Warning deserves a look.
	Warning State = "warning"
	// Bad does not work.
	Bad State = "bad"
)

// Mount is a further handler of the admin surface.
type Mount struct {
	// Title is the text of the link to it.
	Title string
	// Path is where it is served, with everything below: "/debug/channelz/". It goes before the paths of the surface itself.
	Path string
	// Handler serves it. It sees the whole path.
	Handler http.Handler
}
