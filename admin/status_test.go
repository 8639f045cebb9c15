package admin_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-rpc/parley/admin"
)

func TestStatus(t *testing.T) {
	h := admin.New(admin.Config{
		Service: "orders", LogLevel: new(slog.LevelVar),
		Sections: []admin.Section{
			{Title: "Services", Columns: []string{"service", "state"}, Rows: func() []admin.Row {
				return []admin.Row{
					{State: admin.Good, Cells: []string{"payments", "serving"}},
					{State: admin.Bad, Cells: []string{"<b>", "gone"}},
				}
			}},
			{Title: "Key sets", Empty: "No key set is used."},
		},
		Mounts: []admin.Mount{{Title: "More", Path: "/more/", Handler: http.NotFoundHandler()}},
	})
	defer h.Close()
	code, body := get(t, h, "/status")
	want(t, "the status", code, 200)
	var view struct {
		Service  string
		LogLevel string `json:"log_level"`
		Sections []struct {
			Title string
			Rows  []struct {
				State string
				Cells []string
			}
		}
		Links []struct{ Title, Path string }
	}
	if err := json.Unmarshal([]byte(body), &view); err != nil {
		t.Fatal(err)
	}
	want(t, "the service", view.Service, "orders")
	want(t, "the level", view.LogLevel, "INFO")
	want(t, "the sections, the one about the process included,", len(view.Sections), 3)
	want(t, "a state", view.Sections[0].Rows[0].State, "good")
	want(t, "a cell", view.Sections[0].Rows[1].Cells[0], "<b>")
	want(t, "the link", view.Links[0].Path, "/more/")
	contains(t, "the process", body, "goroutines", "heap in use", "built with")
}

func TestDescribe(t *testing.T) {
	h := admin.New(admin.Config{Describe: func(w io.Writer) error {
		_,
			err := io.WriteString(w, "service orders\n")
		return err
	}})
	code, body := get(t, h, "/describe")
	want(t, "the status", code, 200)
	want(t, "the text", body, "service orders\n")

	h = admin.New(admin.Config{Describe: func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of")
		return errors.New("no table")
	}})
	code, body = get(t, h, "/describe")
	want(t, "the status of an error", code, 500)
	want(t, "the text of an error", body, "The description failed: no table\n")

	code, _ = get(t, admin.New(admin.Config{}), "/describe")
	want(t, "the status of nothing", code, 404)
}

func TestLogLevel(t *testing.T) {
	level := new(slog.LevelVar)
	h := admin.New(admin.Config{LogLevel: level})
	set := func(form string) (int, string) {
		r := request(t, http.MethodPost, "/loglevel")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Body = io.NopCloser(strings.NewReader(form))
		return answer(h, r)
	}
	code, body := set(url.Values{"level": {"WARN"}}.Encode())
	want(t, "the status", code, 200)
	contains(t, "the answer", body, `"level": "WARN"`)
	want(t, "the level", level.Level(), slog.LevelWarn)
	for _, form := range []string{"", "level=", "level=LOUD", "level=" + strings.Repeat("D", 5000)} {
		code, body = set(form)
		want(t, "the status of a bad level", code, 400)
		contains(t, "the answer", body, "want DEBUG, INFO, WARN or ERROR")
	}
	_, body = get(t, h, "/loglevel")
	contains(t, "the level that stayed", body, `"level": "WARN"`)

	h = admin.New(admin.Config{})
	code, _ = set("level=DEBUG")
	want(t, "the status without a level", code, 404)
}

func TestMounts(t *testing.T) {
	h := admin.New(admin.Config{Mounts: []admin.Mount{
		{Path: "/debug/more/", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_,
				_ = io.WriteString(w, r.URL.Path)
		})},
		{Path: "/debug/more/", Handler: http.NotFoundHandler()},
		{Path: "/debug/none/"},
	}})
	code, body := get(t, h, "/debug/more/of/it")
	want(t, "the status", code, 200)
	want(t, "the path", body, "/debug/more/of/it")
	code, _ = get(t, h, "/debug/none/")
	want(t, "the status of a mount without a handler", code, 404)
	code, _ = get(t, h, "http://evil.example/debug/more/")
	want(t, "the status under another name", code, 421)
}

func TestCharts(t *testing.T) {
	h := admin.New(admin.Config{Charts: func() []admin.Chart {
		return []admin.Chart{{
			Title: "payments", About: "Retry budgets", Max: 10, Interval: time.Second,
			Values: []float64{10, 9.5},
		}}
	}})
	_, body := get(t, h, "/status")
	var view struct{ Charts []admin.Chart }
	if err := json.Unmarshal([]byte(body), &view); err != nil {
		t.Fatal(err)
	}
	if len(view.Charts) != 1 || view.Charts[0].Title != "payments" ||
		!slices.Equal(view.Charts[0].Values, []float64{10, 9.5}) {
		t.Errorf("the charts are %+v", view.Charts)
	}
	contains(t, "the chart", body, `"interval_ns": 1000000000`)
}

func TestPolicies(t *testing.T) {
	h := admin.New(admin.Config{Policies: func() []admin.Policy {
		return []admin.Policy{{
			Method: charge, Kind: "unary",
			Values: []admin.PolicyValue{{Name: "deadline", Value: "2s", Source: "file orders.yaml:12"}},
		}}
	}})
	code, body := get(t, h, "/policies")
	want(t, "the status", code, 200)
	contains(t, "the policies", body, `"method": "`+charge+`"`, `"name": "deadline"`, `"value": "2s"`,
		`"source": "file orders.yaml:12"`)
	_, body = get(t, admin.New(admin.Config{}), "/policies")
	contains(t, "the policies of a service without", body, `"policies": []`)
}
