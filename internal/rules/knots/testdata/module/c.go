package knots

func c() A { return A{} }
