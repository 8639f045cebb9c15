package tokens

// SetRandom makes every jitter of a keeper be drawn with this number.
func SetRandom(c *Keeper, random float64) { c.random = func() float64 { return random } }
