package table

type reader struct{}

func two() {
	_ = &name      // want `package variable name is changed`
	errSmall = nil // want `package variable errSmall is changed`
	weights := map[string]int{}
	weights["c"] = 3
	limit := weights["c"]
	_ = limit
}
