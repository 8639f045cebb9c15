//go:build integration // want `//go:build integration`

package kept_test
