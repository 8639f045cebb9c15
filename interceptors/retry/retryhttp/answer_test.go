package retryhttp

import (
	"net/http"
	"testing"
	"time"
)

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{
		"0", "120", "-1", "1.5", "", "soon", "99999999999999999999", "2147483647",
		"Sat, 01 Jan 2000 00:00:03 GMT", "Saturday, 01-Jan-00 00:00:03 GMT", "Sat Jan  1 00:00:03 2000", "Fri, 31 Dec 9999 23:59:59 GMT",
	} {
		f.Add(seed)
	}
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		got := retryAfter(http.Header{"Retry-After": {value}}, now)
		if got.Stop || got.Wait < 0 || !got.Said && got.Wait != 0 {
			t.Errorf("%q means %+v", value, got)
		}
	})
}
