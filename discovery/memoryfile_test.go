package discovery

import "testing"

// With any content of the file, reading it never panics and never returns an instance that cannot be called.
func FuzzParseMemory(f *testing.F) {
	f.Add(
		[]byte(
			`{"version":1,"engine":"mem","services":{"payments":{"seen":"2026-01-02T03:04:05Z","instances":[{"id":"a","service":"payments","addresses":["a:1"]}]}}}`,
		),
	)
	f.Fuzz(func(t *testing.T, text []byte) {
		lists, err := parseMemory(text, "mem")
		if err != nil {
			return
		}
		for service, known := range lists {
			for _, in := range known.Instances {
				if err := in.Check(); err != nil || in.Service != service {
					t.Errorf("%q lists %+v: %v", service, in, err)
				}
			}
		}
	})
}
