package frameworktest

import (
	_ "testing"
	_ "testing/synctest"
)
