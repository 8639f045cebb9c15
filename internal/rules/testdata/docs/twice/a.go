// Package twice is documented here.
package twice // want `package twice has comments in twice/a.go and in twice/b.go`
