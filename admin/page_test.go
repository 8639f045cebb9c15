package admin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-rpc/parley/admin"
)

func TestPageRunsOnlyItsOwnScript(t *testing.T) {
	h := admin.New(admin.Config{Service: "orders"})
	defer h.Close()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(t, http.MethodGet, "/"))
	page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	contains(t, "the policy", policy, "default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'",
		"form-action 'none'", "connect-src 'self'",
		"require-trusted-types-for 'script'")
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy is loose: %s", policy)
	}
	for _, tag := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+tag+`[^>]*>(.*?)</`+tag+`>`).FindAllStringSubmatch(page, -1)
		if len(found) != 1 {
			t.Fatalf("the page has %d elements %s, want 1", len(found), tag)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		contains(t, "the policy", policy, tag+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	for name, forbidden := range map[string]string{
		"an element from elsewhere": `(?i)(src|href)\s*=\s*["']?(https?:)?//`,
		"an inline style":           `(?i)<[^>]+\sstyle\s*=`,
		"an inline handler":         `(?i)<[^>]+\son[a-z]+\s*=`,
		"parsing of HTML":           `innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML|srcdoc`,
		"evaluation of text":        `\beval\(|new Function|setTimeout\(\s*["']`,
		"a placeholder":             `{{`,
	} {
		if found := regexp.MustCompile(forbidden).FindString(page); found != "" {
			t.Errorf("the page contains %s: %s", name, found)
		}
	}
	for name, value := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cache-Control":              "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		"Content-Type": "text/html; charset=utf-8",
	} {
		want(t, name, w.Header().Get(name), value)
	}
}

func TestPageHasAllItsParts(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	_, page := get(t, h, "/")
	parts, err := filepath.Glob("page/*")
	if err != nil || len(parts) < 5 {
		t.Fatalf("parts are %v, %v", parts, err)
	}
	for _, part := range parts {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(part, ".html") && !strings.Contains(page, string(text)) {
			t.Errorf("%s is not in the page", part)
		}
	}
}

func TestEveryAnswerIsProtected(t *testing.T) {
	h := admin.New(admin.Config{})
	defer h.Close()
	for _, target := range []string{"/", "/calls", "/nowhere", "http://evil.example/", "/describe", "/debug/pprof/"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(t, http.MethodGet, target))
		contains(t, target, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
		want(t, "nosniff of "+target, w.Header().Get("X-Content-Type-Options"), "nosniff")
	}
}
