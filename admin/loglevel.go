package admin

import (
	"fmt"
	"log/slog"
	"net/http"
)

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

// setLogLevel takes a form with the field level: DEBUG, INFO, WARN, ERROR, or one of them with an offset, "INFO+2".
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
