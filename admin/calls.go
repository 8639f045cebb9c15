package admin

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/parley-rpc/parley/waterfall"
)

// callList is the JSON form of several calls.
type callList struct {
	Calls []waterfall.Call `json:"calls"`
}

// listCalls lists the recent calls, newest first. The parameters are limit=N (0 for all), method=part of a name,
// outcome=failed, retried or open, and format=json or text.
func (h *Handler) listCalls(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	wanted, err := callFilter(query)
	limit := defaultListed
	if text := query.Get("limit"); text != "" && err == nil {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			err = fmt.Errorf("limit=%s: want a number, 0 for all", text)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	calls := make([]waterfall.Call, 0, defaultListed)
	if h.config.Ring != nil {
		for _, c := range h.config.Ring.Calls() {
			if wanted(c) {
				calls = append(calls, c)
			}
			if len(calls) == limit && limit > 0 {
				break
			}
		}
	}
	writeCalls(w, query, calls)
}

// showTrace shows the calls of one trace, oldest first.
func (h *Handler) showTrace(w http.ResponseWriter, r *http.Request) {
	var calls []waterfall.Call
	if h.config.Ring != nil {
		calls = h.config.Ring.Trace(r.PathValue("trace"))
	}
	if len(calls) == 0 {
		http.Error(w, "No call of this trace is kept. Newer calls may have replaced it.", http.StatusNotFound)
		return
	}
	writeCalls(w, r.URL.Query(), calls)
}

func writeCalls(w http.ResponseWriter, query url.Values, calls []waterfall.Call) {
	switch format := query.Get("format"); format {
	case "", "json":
		writeJSON(w, callList{calls})
	case "text":
		setText(w)
		for i, c := range calls {
			if i > 0 {
				_, _ = io.WriteString(w, "\n") // an error means that the client is gone, here and below
			}
			_ = waterfall.Text(w, c)
		}
	default:
		http.Error(w, fmt.Sprintf("format=%q: want json or text", format), http.StatusBadRequest)
	}
}

func callFilter(query url.Values) (func(waterfall.Call) bool, error) {
	outcome := func(waterfall.Call) bool { return true }
	switch name := query.Get("outcome"); name {
	case "":
	case "failed":
		outcome = waterfall.Call.Failed
	case "retried":
		outcome = waterfall.Call.Retried
	case "open":
		outcome = func(c waterfall.Call) bool { return c.Open }
	default:
		return nil, errors.New("outcome=" + strconv.Quote(name) + ": want failed, retried or open")
	}
	method := strings.ToLower(query.Get("method"))
	return func(c waterfall.Call) bool {
		return outcome(c) && strings.Contains(strings.ToLower(c.Method), method)
	}, nil
}
