package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/parley-rpc/parley/internal/vocabulary"
	"github.com/parley-rpc/parley/waterfall"
)

//go:embed page
var assets embed.FS

// scripts are the parts of the page's script, in order.
var scripts = [...]string{
	"format.js", "dom.js", "store.js", "bars.js", "list.js", "detail.js", "traffic.js", "status.js",
	"explain.js", "policy.js", "refusals.js", "stream.js", "main.js",
}

// page is the complete page in one document. Its content security policy allows only its own style and script, by their
// hashes.
type page struct {
	document []byte
	policy   string
}

func newPage() *page {
	style := asset("style.css")
	var script strings.Builder
	for _, name := range scripts {
		script.WriteString(asset(name))
	}
	document := strings.NewReplacer("{{style}}", style, "{{script}}", script.String(), "{{outcomes}}",
		outcomes()).Replace(asset("page.html"))
	return &page{[]byte(document), strings.Join([]string{
		"default-src 'none'",
		"style-src " + hash(style),
		"script-src " + hash(script.String()),
		"require-trusted-types-for 'script'",
		"connect-src 'self'",
		"img-src data:",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")}
}

func (p *page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = bytes.NewReader(p.document).WriteTo(w) // an error means that the client is gone
}

// outcomes returns the options of the filter by outcome, without the outcome of a call that succeeded at once.
func outcomes() string {
	var options strings.Builder
	for _, o := range waterfall.Outcomes() {
		if o.Name != vocabulary.OutcomeNone {
			fmt.Fprintf(&options, "<option value=%q>%s</option>", html.EscapeString(o.Name), html.EscapeString(o.Label))
		}
	}
	return options.String()
}

// asset returns a part of the page. The parts are embedded in the program, so all of them exist.
func asset(name string) string {
	text, _ := assets.ReadFile("page/" + name)
	return string(text)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
