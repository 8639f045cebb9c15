// Package hidden needs no example.
package hidden

func Hidden() {}
