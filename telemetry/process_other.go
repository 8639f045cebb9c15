//go:build !linux

package telemetry

import "errors"

func readProcess() (processState, error) { return processState{}, errors.ErrUnsupported }
