// Package bare exports a type.
package bare // want `public package bare has no example that runs`

type Bare struct{}
