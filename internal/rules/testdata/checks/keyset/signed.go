package keyset

type claims struct{}

func (claims) NumericDate(string) int { return 0 }

func check(c claims) bool { return c.NumericDate("exp") > 0 }
