package balance

func init() {} // want `func init`

type t struct{}

func (t) init() {}
