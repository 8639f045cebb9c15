// Package providers holds what the tokens and the keys of 16 identity providers look like, after their public
// documentation, and checks what Parley makes of them: <product>.json is the shape, <product>.yaml the configuration
// that docs/providers.md shows. It holds tests only.
package providers
