package retry

import (
	"log/slog"
	"runtime"
	"runtime/debug"
)

// thrown is how user code, such as an interceptor, left a goroutine of the Retrier other than by returning.
type thrown struct {
	value any  // of a panic
	exit  bool // by runtime.Goexit, as t.FailNow does
}

// catch runs user code on a goroutine of the Retrier, which it does not end. A panic is logged with its stack, because
// the goroutine that gets it has another one, or is gone.
func (t *thrown) catch(logger *slog.Logger, method string, run func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if t.value = recover(); t.value == nil {
			t.exit = true
			return
		}
		logger.Error("an interceptor panicked in an attempt", slog.String("method", method),
			slog.Any("panic", t.value), slog.String("stack", string(debug.Stack())))
	}()
	run()
	returned = true
}

// rethrow does on the caller's goroutine what user code did on one of the Retrier.
func (t *thrown) rethrow() {
	switch {
	case t.value != nil:
		panic(t.value)
	case t.exit:
		runtime.Goexit()
	}
}
