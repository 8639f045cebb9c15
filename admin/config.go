package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/parley-rpc/parley/policy"
	"github.com/parley-rpc/parley/waterfall"
)

// Config is the content of the admin surface. All fields are optional; empty fields are not shown. The functions are
// called on each request, from any goroutine, and should return at once.
type Config struct {
	// Service is the name of the service.
	Service string
	// Ring holds the recent calls.
	Ring *waterfall.Ring
	// Describe writes a description of the service, as text.
	Describe func(io.Writer) error
	// Sections are the tables of the status view, in order.
	Sections []Section
	// Charts returns the charts.
	Charts func() []Chart
	// Policies returns the effective policies of methods, in order.
	Policies func() []Policy
	// Explain decides on a call as the service would, without making it. An error is a mistake in the question.
	Explain func(context.Context, Question) (policy.Explanation, error)
	// Traffic has the rate, the errors and the latency of methods.
	Traffic *Traffic
	// Refusals returns the recent refusals, newest first.
	Refusals func() []Refusal
	// Ready returns whether the service is ready, and the checks that /readyz lists.
	Ready func() (bool, []Check)
	// LogLevel is the log level, which the page shows and can change.
	LogLevel *slog.LevelVar
	// Switches are the switches, in order, which the page shows and can change.
	Switches []Switch
	// Mounts are additional handlers with the same protection.
	Mounts []Mount
}

// Section is one table of the status view: services, endpoints, connections, budgets.
type Section struct {
	// Title is the heading of the table.
	Title string
	// Columns are the headings of its columns.
	Columns []string
	// Rows returns its present rows.
	Rows func() []Row
	// Empty is the text that is shown if there are no rows.
	Empty string
}

// Row is one row of a table.
type Row struct {
	// State is the state of the row, which is shown as a mark.
	State State `json:"state,omitempty"`
	// Cells are its texts, one for each column. They may contain unescaped text from a peer.
	Cells []string `json:"cells"`
}

// Chart is one value over time.
type Chart struct {
	// Title is the title: "payments".
	Title string `json:"title"`
	// About is the kind of the chart, under which charts are grouped: "Retry budget, in retries".
	About string `json:"about"`
	// Max is the end of the scale, which starts at 0.
	Max float64 `json:"max"`
	// Interval is the time between two values.
	Interval time.Duration `json:"interval_ns"`
	// Values are the values, oldest first. The last one is the present value.
	Values []float64 `json:"values"`
}

// Policy is the effective policy of one method.
type Policy struct {
	// Method is the method as "pkg.Service/Method".
	Method string `json:"method"`
	// Kind is the kind of method, and whether it is served or called: "unary, served".
	Kind string `json:"kind"`
	// Values are the values of the policy, in order.
	Values []PolicyValue `json:"values"`
	// Problem is the reason why there is no policy, or "".
	Problem string `json:"problem,omitempty"`
}

// PolicyValue is one value of a policy.
type PolicyValue struct {
	// Name is the name of the value: "deadline".
	Name string `json:"name"`
	// Value is the value: "2s".
	Value string `json:"value"`
	// Source is the place that states the value: "file orders.yaml:12".
	Source string `json:"source"`
}

// Question is a call, of which an operator asks what the policy decides.
type Question struct {
	// Method is the method as "pkg.Service/Method".
	Method string
	// Caller is the ID of the calling workload, or its name. It is "" for a caller without an identity, or for one that
	// CallerToken names.
	Caller string
	// CallerToken is the caller's token, or its claims as a JSON object. It must not be kept or logged.
	CallerToken string
	// UserToken is the token of the end user, or its claims as a JSON object. It must not be kept or logged.
	UserToken string
}

// Mount is an additional handler of the admin surface.
type Mount struct {
	// Title is the text of the link to it.
	Title string
	// Path is the path of the handler, which includes all paths below: "/debug/channelz/". It has precedence over the
	// paths of the surface itself.
	Path string
	// Handler serves the requests. It gets the complete path.
	Handler http.Handler
}
