package xds_test

import (
	"os"
	"testing"

	"github.com/parley-rpc/parley/discovery/xds/xdstest"
)

func TestMain(m *testing.M) { os.Exit(xdstest.Main(m)) }
