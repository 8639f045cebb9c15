// Package snippets checks that what README.md and docs/ show is true: Go snippets stand word for word in code that is
// compiled, YAML snippets are good configurations, .proto snippets stand in the .proto files, and links lead somewhere.
// It holds tests only.
package snippets
