package kit

func WithInside() {}
