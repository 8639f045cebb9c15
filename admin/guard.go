package admin

import "net/http"

// guard refuses requests that do not come from the operator, and sets the headers of every answer.
func (h *Handler) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", h.page.policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if !isLocal(r) {
			http.Error(
				w, "This surface answers only under localhost, 127.0.0.1 or [::1]. Use one of them as the host of the URL.",
				http.StatusMisdirectedRequest,
			)
			return
		}
		if origin.Check(r) != nil || !fromHere(r) {
			http.Error(w, "Another site caused this request, so it is refused.", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
		next.ServeHTTP(w, r)
	})
}

// fromHere reports whether a request comes from the page itself. Another site can make a browser send requests, for
// example for an image with the address of a profile. Only a link to the page may come from another site.
func fromHere(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return true
	default:
		return r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
			r.Header.Get("Sec-Fetch-Dest") == "document"
	}
}
