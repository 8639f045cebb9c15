package auth

import "fmt"

// quote prints what someone wrote, cut so that a hostile value cannot fill a log.
func quote(s string) string {
	const shown = 80
	if len(s) > shown {
		return fmt.Sprintf("%q...", s[:shown])
	}
	return fmt.Sprintf("%q", s)
}
