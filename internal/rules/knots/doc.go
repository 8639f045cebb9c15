// Package knots measures how the files of a package hang together: which of them use each other in a circle, and how
// many references run against the order in which the others could be read.
package knots
