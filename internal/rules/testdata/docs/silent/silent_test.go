package silent_test

func Example() {
	// It is compiled and never run.
}
