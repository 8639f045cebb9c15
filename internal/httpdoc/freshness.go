package httpdoc

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// freshness is how long a private cache may use an answer (RFC 9111 sections 4.2.1 and 5.2.2): no-store and no-cache
// mean no time, else max-age counts, less the Age that caches in between state, else Expires. It reports false when the
// header says nothing that makes sense.
func freshness(header http.Header, now time.Time) (time.Duration, bool) {
	var maxAge time.Duration
	stated := false
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0, true
		case "max-age":
			if age, ok := seconds(strings.Trim(value, `"`)); ok && !stated {
				maxAge, stated = age, true
			}
		}
	}
	age, _ := seconds(header.Get("Age"))
	if !stated && header.Get("Expires") != "" {
		date, err := http.ParseTime(header.Get("Date"))
		if err != nil {
			date = now
		}
		expires, err := http.ParseTime(header.Get("Expires"))
		if err != nil {
			return 0, true // such as "0", which means that it has expired
		}
		maxAge, stated = expires.Sub(date), true
	}
	return max(maxAge-age, 0), stated
}

// seconds reads delta-seconds (RFC 9111 section 1.2.2), of which a greater number means the greatest that is kept.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && (text == "" || strings.Trim(text, "0123456789") != "") {
		return 0, false
	}
	return time.Duration(min(n, math.MaxInt32)) * time.Second, true
}
