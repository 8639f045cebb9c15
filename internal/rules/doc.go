// Package rules holds the house rules of Parley that a program can check. Its tests apply them to the whole repository,
// nested modules included, so that a rule costs a failing test and no reviewer.
//
// Each rule reads syntax, not types: it is exact about what is written and approximate about what is meant. Where a
// rule has exceptions they stand in a list beside it, each with its reason.
package rules
