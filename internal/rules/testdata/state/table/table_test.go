package table

var calls int

func hook() {
	calls++
	handlers = nil // want `package variable handlers is changed`
}
