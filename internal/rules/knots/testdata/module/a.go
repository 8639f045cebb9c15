package knots

import "strings"

type A struct{ name string }

func (a A) upper() string { return strings.ToUpper(a.name) }

func use(b B) string { return b.lower() }
