package retry

var _ = WithTested()
