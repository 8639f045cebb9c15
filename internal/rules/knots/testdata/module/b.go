package knots

type B struct{ a A }

func (b B) lower() string { return b.a.name }
