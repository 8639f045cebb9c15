package framework

import (
	. "strings" // want `dot import`
	_ "testing" // want `framework imports testing`
)
