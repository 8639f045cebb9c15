package retry_test

import "time"

// helper is called in a bubble that another file makes.
func helper() { time.Sleep(time.Second) }
