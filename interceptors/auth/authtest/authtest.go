// Package authtest checks a verifier of bearer tokens, or a source of them, whoever wrote it, against Parley's attack
// table. The number of an [Attack] is that of its row there; attacktable_test.go of package auth lists the rows. What
// is more than one token, such as floods, key sets that are broken and relays, is not part of this kit.
//
// A verifier is a function:
//
//	func TestAttacks(t *testing.T) {
//		authtest.Verify(t, func(t *testing.T, trust authtest.Trust) authtest.Verifier { return newVerifier(trust).Check })
//	}
//
// or a gRPC server, whose calls [Calls] makes. What needs no key can also be made from a token of a real issuer, by
// [WithoutKey]. A source of tokens is checked by [Sources].
//
// Each attack and each promise of a source can also be checked by itself, by its method Check, inside of a
// testing/synctest bubble as well as outside. Nothing of this is fit for production: the keys are known to everybody.
package authtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Verifier checks a bearer token, without the scheme in front of it. An error refuses the token. It may be called from
// many goroutines.
type Verifier func(ctx context.Context, token string) error

// ErrUndecided is what a Verifier returns when it could not find out what becomes of a token. It fails the test either
// way.
var ErrUndecided = errors.New("authtest: neither accepted nor refused")

// Attack is a token and what has to become of it.
type Attack struct {
	// Row is the number in the attack table; 0 stands for an honest token.
	Row int
	// Name says what is wrong, and is unique together with Row.
	Name string
	// Token is the token.
	Token string
	// Good is whether the token must be accepted. Most are not: those that are show that a verifier does not just refuse
	// everything.
	Good bool
}

// String is the row and the name.
func (a Attack) String() string { return fmt.Sprintf("%02d %s", a.Row, a.Name) }

// Check presents the attack to a verifier. Its error says what the verifier did wrong; a panic is wrong, too.
func (a Attack) Check(ctx context.Context, verify Verifier) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: the verifier panicked: %v", a, r)
		}
	}()
	switch err := verify(ctx, a.Token); {
	case errors.Is(err, ErrUndecided):
		return fmt.Errorf("%v: %w", a, err)
	case err != nil && a.Good:
		return fmt.Errorf("%v: a good token was refused: %w", a, err)
	case err == nil && !a.Good:
		return fmt.Errorf("%v: the token was accepted", a)
	}
	return nil
}

// Verify runs every attack against a verifier, each in a test of its own and two times, for what a cache may have kept.
// Open makes the verifier; it is called once.
func Verify(t *testing.T, open func(*testing.T, Trust) Verifier) {
	t.Helper()
	issuer := NewIssuer()
	verify := open(t, issuer.Trust())
	attacks := fresh(issuer.Attacks)
	for n, attack := range issuer.Attacks() {
		t.Run(attack.String(), func(t *testing.T) {
			for range 2 {
				if err := attacks(n).Check(t.Context(), verify); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// fresh returns element n of what forge makes, which is made anew when it is old: the times of an attack are its point.
func fresh[T any](forge func() []T) func(n int) T {
	var list []T
	var made time.Time
	return func(n int) T {
		if list == nil || time.Since(made) > 5*time.Second {
			list, made = forge(), time.Now()
		}
		return list[n]
	}
}
