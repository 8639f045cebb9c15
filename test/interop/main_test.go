package interop_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The environment of a child process says which case it runs, and against what.
const (
	envCase  = "PARLEY_INTEROP_CASE"
	envStack = "PARLEY_INTEROP_STACK"
	envAddr  = "PARLEY_INTEROP_ADDR"
	envTrust = "PARLEY_INTEROP_TRUST"
)

// caseLimit ends a case that hangs.
const caseLimit = time.Minute

// TestMain runs the tests, or, as the child process of one of them, a single case of the suite: the suite ends the
// process when it fails.
func TestMain(m *testing.M) {
	name := os.Getenv(envCase)
	if name == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := runCase(name, os.Getenv(envStack), os.Getenv(envAddr), os.Getenv(envTrust)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runCase(name, stackName, addr, trust string) error {
	c, ok := find(cases(), func(c interopCase) bool { return c.name == name })
	if !ok {
		return fmt.Errorf("there is no case %q", name)
	}
	s, ok := find(stacks(), func(s stack) bool { return s.name == stackName })
	if !ok {
		return fmt.Errorf("there is no stack %q", stackName)
	}
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	defer cancel()
	client, hangUp, err := s.dial(addr, trust)
	if err != nil {
		return err
	}
	c.run(ctx, client)
	return hangUp()
}

func find[T any](all []T, is func(T) bool) (T, bool) {
	for _, one := range all {
		if is(one) {
			return one, true
		}
	}
	var none T
	return none, false
}
