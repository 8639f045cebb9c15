package main

import "github.com/parley-rpc/parley/retry"

var _ = retry.WithShown()
