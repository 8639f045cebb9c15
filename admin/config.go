package admin

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/waterfall"
)

// Config is what the admin surface shows. Every field may be empty; what is empty is not shown. Its functions are
// called on each request, from any goroutine, and should return at once.
type Config struct {
	// Service is the name of the service.
	Service string
	// Ring holds the recent calls.
	Ring *waterfall.Ring
	// Describe writes what the service is made of, as text.
	Describe func(io.Writer) error
	// Sections are the tables of the status view, in order.
	Sections []Section
	// Charts yields what is drawn over time.
	Charts func() []Chart
	// Policies yields the effective policies of methods, in order.
	Policies func() []Policy
	// Traffic is what is shown of the rate, the errors and the latency of methods.
	Traffic *Traffic
	// Refusals yields the recent refusals, the newest first.
	Refusals func() []Refusal
	// LogLevel is shown and can be changed.
	LogLevel *slog.LevelVar
	// Switches are shown and can be turned off and on, in order.
	Switches []Switch
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

// Chart is one value over time.
type Chart struct {
	// Title says what it is: "payments".
	Title string `json:"title"`
	// About says of what kind it is. Charts of one kind stand together under it: "Retry budget, in retries".
	About string `json:"about"`
	// Max is the end of the scale, which begins at 0.
	Max float64 `json:"max"`
	// Interval is how far apart the values are.
	Interval time.Duration `json:"interval_ns"`
	// Values are the values, the oldest first; the last one is of now.
	Values []float64 `json:"values"`
}

// Policy is the effective policy of one method.
type Policy struct {
	// Method is the method as "pkg.Service/Method".
	Method string `json:"method"`
	// Kind says how its messages flow, and who uses it: "unary, served".
	Kind string `json:"kind"`
	// Values are what is stated about it, in order.
	Values []PolicyValue `json:"values"`
	// Problem is why there is no policy; "" when there is one.
	Problem string `json:"problem,omitempty"`
}

// PolicyValue is one value of a policy.
type PolicyValue struct {
	// Name says what the value is about: "deadline".
	Name string `json:"name"`
	// Value is the value: "2s".
	Value string `json:"value"`
	// Source is where it was stated: "file orders.yaml:12".
	Source string `json:"source"`
}

// Mount is a further handler of the admin surface.
type Mount struct {
	// Title is the text of the link to it.
	Title string
	// Path is where it is served, with everything below: "/debug/channelz/". It goes before the paths of the surface
	// itself.
	Path string
	// Handler serves it. It sees the whole path.
	Handler http.Handler
}
