package file

import "testing"

// With any content of a file, reading it never panics and never returns an instance that cannot be called.
func FuzzParseEntry(f *testing.F) {
	f.Add(
		[]byte(
			`{"version":1,"holder":"x","announced":"2026-01-02T03:04:05Z","expires":"2026-01-02T03:04:20Z","instance":{"id":"a","service":"payments","addresses":["a:1"]}}`,
		),
	)
	f.Fuzz(func(t *testing.T, text []byte) {
		if e, err := parseEntry(text); err == nil {
			if err := e.instance.Check(); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}
