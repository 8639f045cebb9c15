package issuer

type claims struct{}

func (claims) NumericDate(string) int { return 0 }
func (claims) Verify(string) error    { return nil }

type builder struct{}

func (builder) NumericDate(string, int) {}

func check(c claims, b builder) error {
	b.NumericDate("exp", 1)
	if c.NumericDate("exp") < 1 { // want `checks a token by itself \(NumericDate\)`
		return nil
	}
	return c.Verify("key") // want `checks a token by itself \(Verify\)`
}
