package retry_test

import "fmt"

func say() { fmt.Println("for an example") }
