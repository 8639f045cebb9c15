package admin

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
)

// Switch is a setting that an operator can enable and disable while the service runs. Its functions are called from any
// goroutine and should return at once.
type Switch struct {
	// Title is its name, which is unique among the switches: "Retries".
	Title string
	// About describes the effect of disabling it.
	About string
	// On reports whether it is enabled.
	On func() bool
	// Set enables or disables it.
	Set func(on bool)
}

// switchView is the JSON form of a switch.
type switchView struct {
	Title string `json:"title"`
	About string `json:"about,omitempty"`
	On    bool   `json:"on"`
}

func (h *Handler) switches() []switchView {
	views := make([]switchView, 0, len(h.config.Switches))
	for _, s := range h.config.Switches {
		views = append(views, switchView{s.Title, s.About, s.On()})
	}
	return views
}

func (h *Handler) listSwitches(w http.ResponseWriter, _ *http.Request) { writeJSON(w, h.switches()) }

// setSwitch accepts a form with the fields title, and on=true or false.
func (h *Handler) setSwitch(w http.ResponseWriter, r *http.Request) {
	title := r.PostFormValue("title")
	on, err := strconv.ParseBool(r.PostFormValue("on"))
	if err != nil {
		http.Error(w, fmt.Sprintf("on=%q: want true or false", r.PostFormValue("on")), http.StatusBadRequest)
		return
	}
	for _, s := range h.config.Switches {
		if s.Title == title {
			s.Set(on)
			h.listSwitches(w, r)
			return
		}
	}
	http.Error(
		w, fmt.Sprintf("title=%q: this switch does not exist; GET /switches lists the switches", title), http.StatusNotFound,
	)
}

// levelView is the JSON form of the log level.
type levelView struct {
	Level string `json:"level"`
}

func (h *Handler) logLevel(w http.ResponseWriter, _ *http.Request) {
	if h.config.LogLevel == nil {
		http.Error(w, "The log level of this service cannot be changed.", http.StatusNotFound)
		return
	}
	writeJSON(w, levelView{h.config.LogLevel.Level().String()})
}

// setLogLevel accepts a form with the field level: DEBUG, INFO, WARN, ERROR, or one of them with an offset, such as
// "INFO+2".
func (h *Handler) setLogLevel(w http.ResponseWriter, r *http.Request) {
	if h.config.LogLevel == nil {
		h.logLevel(w, r)
		return
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(r.PostFormValue("level"))); err != nil {
		http.Error(w, fmt.Sprintf("level=%q: want DEBUG, INFO, WARN or ERROR", r.PostFormValue("level")),
			http.StatusBadRequest)
		return
	}
	h.config.LogLevel.Set(level)
	h.logLevel(w, r)
}
