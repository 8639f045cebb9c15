package admin

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/parley-rpc/parley/waterfall"
)

// Counts are the counts of the calls of one method, since the start.
type Counts struct {
	// Method is the method as "pkg.Service/Method". Target is the target of the calls, or "" for served calls.
	Method, Target string
	// Calls is the number of ended calls, and Failed the number of those that failed. Duration is the sum of their
	// durations.
	Calls, Failed uint64
	Duration      time.Duration
	// Within has the number of calls up to each duration, by rising bounds.
	Within []Within
}

// Within is the number of calls that took at most a duration.
type Within struct {
	Bound time.Duration
	Calls uint64
}

// Traffic keeps the recent numbers of calls, failures and durations, by method. It is safe for concurrent use.
type Traffic struct {
	read func() []Counts

	mu      sync.Mutex
	samples [][]Counts // oldest first
}

// NewTraffic returns a Traffic for the counts that read returns. It does not call read before [Traffic.Run].
func NewTraffic(read func() []Counts) *Traffic { return &Traffic{read: read} }

// Run reads the counts every 10s until ctx ends. It returns nil.
func (t *Traffic) Run(ctx context.Context) error {
	ticker := time.NewTicker(trafficInterval)
	defer ticker.Stop()
	for {
		t.sample()
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (t *Traffic) sample() {
	counts := t.read()
	if len(counts) > maxTraffic {
		counts = counts[:maxTraffic]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples = append(t.samples, counts)
	if len(t.samples) > trafficPoints+1 {
		t.samples = slices.Delete(t.samples, 0, 1)
	}
}

// methodTraffic is the JSON form of the recent traffic of one method. Rates are per second.
type methodTraffic struct {
	Method string  `json:"method"`
	Target string  `json:"target,omitempty"`
	Calls  uint64  `json:"calls"`
	Rate   float64 `json:"rate"`
	Failed float64 `json:"failed"` // share
	// Mean is the mean duration of a call, and Within the 95th percentile. 0 means longer than any bound.
	Mean   time.Duration `json:"mean_ns"`
	Within time.Duration `json:"within_ns"`
	Rates  []float64     `json:"rates"`  // the rate of each interval, oldest first
	Errors []float64     `json:"errors"` // the rate of failed calls of each interval
}

// trafficView is the JSON form of the recent traffic.
type trafficView struct {
	Interval  time.Duration     `json:"interval_ns"` // between the rates
	Window    time.Duration     `json:"window_ns"`   // the time over which rates and latencies are computed
	Methods   []methodTraffic   `json:"methods"`
	Endpoints []endpointTraffic `json:"endpoints"`
	Kept      int               `json:"kept"` // the number of attempts behind Endpoints
}

// methods returns the methods with recent calls, those with most calls first, and the time that their numbers cover.
func (t *Traffic) methods() ([]methodTraffic, time.Duration) {
	t.mu.Lock()
	samples := slices.Clone(t.samples)
	t.mu.Unlock()
	if len(samples) < 2 {
		return nil, 0
	}
	type series struct{ method, target string }
	columns := map[series][]Counts{}
	for at, sample := range samples {
		for _, c := range sample {
			s := series{c.Method, c.Target}
			if columns[s] == nil {
				columns[s] = make([]Counts, len(samples))
			}
			columns[s][at] = c
		}
	}
	span := min(trafficWindow, len(samples)-1)
	window := time.Duration(span) * trafficInterval
	var list []methodTraffic
	for s, column := range columns {
		last := len(column) - 1
		m := methodTraffic{Method: s.method, Target: s.target}
		for at := range last {
			m.Rates = append(m.Rates, perSecond(since(column[at].Calls, column[at+1].Calls)))
			m.Errors = append(m.Errors, perSecond(since(column[at].Failed, column[at+1].Failed)))
		}
		m.conclude(column[last-span], column[last], window)
		if column[last].Calls > column[0].Calls {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b methodTraffic) int {
		return cmp.Or(-cmp.Compare(a.Calls, b.Calls), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Target, b.Target))
	})
	return list, window
}

// since returns the increase from one sample to the next. A method that a sample left out, because there were too many
// methods, counts as not called.
func since(from, to uint64) uint64 { return max(from, to) - from }

func perSecond(n uint64) float64 { return float64(n) / trafficInterval.Seconds() }

// conclude computes rate, errors and latency between two samples.
func (m *methodTraffic) conclude(from, to Counts, window time.Duration) {
	m.Calls = since(from.Calls, to.Calls)
	if m.Calls == 0 {
		return
	}
	m.Rate = float64(m.Calls) / window.Seconds()
	m.Failed = float64(since(from.Failed, to.Failed)) / float64(m.Calls)
	m.Mean = (to.Duration - from.Duration) / time.Duration(m.Calls) //nolint:gosec // a number of calls
	for i, within := range to.Within {
		calls := within.Calls
		if i < len(from.Within) {
			calls = since(from.Within[i].Calls, calls)
		}
		if float64(calls) >= 0.95*float64(m.Calls) {
			m.Within = within.Bound
			return
		}
	}
}

// endpointTraffic is the JSON form of the attempts in the ring that reached one endpoint.
type endpointTraffic struct {
	Endpoint string        `json:"endpoint"`
	Attempts int           `json:"attempts"`
	Failed   float64       `json:"failed"` // share
	Mean     time.Duration `json:"mean_ns"`
	Longest  time.Duration `json:"longest_ns"`
}

// endpointsOf returns the sums of the attempts of calls by endpoint, those with most attempts first, and the number of
// attempts.
func endpointsOf(calls []waterfall.Call) (list []endpointTraffic, kept int) {
	type sum struct {
		endpointTraffic
		failed int
		total  time.Duration
	}
	sums := map[string]*sum{}
	var add func(calls []waterfall.Call)
	add = func(calls []waterfall.Call) {
		for i := range calls {
			add(calls[i].Calls)
			for _, a := range calls[i].Attempts {
				add(a.Calls)
				if a.Open {
					continue
				}
				endpoint := cmp.Or(a.Endpoint, "not connected")
				of := sums[endpoint]
				if of == nil {
					of = &sum{endpointTraffic: endpointTraffic{Endpoint: endpoint}}
					sums[endpoint] = of
				}
				kept++
				of.Attempts++
				of.total += a.Duration
				of.Longest = max(of.Longest, a.Duration)
				if a.Status != "OK" {
					of.failed++
				}
			}
		}
	}
	add(calls)
	for _, of := range sums {
		of.Failed = float64(of.failed) / float64(of.Attempts)
		of.Mean = of.total / time.Duration(of.Attempts)
		list = append(list, of.endpointTraffic)
	}
	slices.SortFunc(list, func(a, b endpointTraffic) int {
		return cmp.Or(-cmp.Compare(a.Attempts, b.Attempts), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return list[:min(len(list), maxTraffic)], kept
}
