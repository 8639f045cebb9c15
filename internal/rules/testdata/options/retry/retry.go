package retry

type Option func()

func WithTested() Option { return nil }

func WithShown() Option { return nil }

func WithForgotten() Option { return nil } // want `no test and no example uses the option WithForgotten`

func withUnexported() Option { return nil }

func (Option) WithMethod() Option { return nil }
