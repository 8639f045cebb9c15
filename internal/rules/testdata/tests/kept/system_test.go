//go:build linux && !race

package kept_test
