package demo

import "os"

func run() { os.Exit(1) }
