package authtest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parley-rpc/parley/interceptors/auth/authtest"
)

// A verifier that leaves nothing out passes, and each that leaves one thing out is rejected by the row that is meant for it.
func TestMutantsAreRejected(t *testing.T) {
	type mutant struct {
		lapse lapse
		by    []int
	}
	mutants := []mutant{
		{"", nil},
		{"accepts alg none", []int{1}},
		{"does not compare alg with the key", []int{2}},
		{"takes the public key for a secret", []int{3}},
		{"takes any key", []int{7}},
		{"one set for all issuers", []int{9}},
		{"believes a key in the header", []int{10}},
		{"overlooks header members", []int{10, 11, 12, 13}},
		{"takes the last of two header members", []int{17}},
		{"takes JSON", []int{15}},
		{"takes the last of two claims", []int{18}},
		{"is deaf to case in names", []int{19}},
		{"overlooks what follows the payload", []int{20}},
		{"demands no exp", []int{22}},
		{"takes exp 0 for never", []int{23, 24, 25, 26}},
		{"takes any lifetime", []int{28}},
		{"does not look at exp", []int{29}},
		{"knows no skew", []int{29}},
		{"does not look at iat", []int{30}},
		{"does not look at nbf", []int{30}},
		{"does not look at aud", []int{32, 33, 34, 39}},
		{"compares the audience by its beginning", []int{32}},
		{"takes no audience for any", []int{33}},
		{"takes any of many audiences", []int{34}},
		{"does not look at iss", []int{9, 35}},
		{"trims the issuer", []int{35}},
		{"does not look at sub", []int{36}},
		{"does not look at typ", []int{37, 38}},
		{"reads everything", []int{42}},
		{"reads JSON loosely", []int{43, 45}},
		{"decodes loosely", []int{44}},
		{"trims space", []int{44}},
		{"overlooks further segments", []int{14, 46}},
		{"panics on short input", []int{46}},
		{"checks no signature", []int{5, 9, 48}},
	}
	synctest.Test(t, func(t *testing.T) { // in which no time passes, so that the attacks are made once
		issuer := authtest.NewIssuer()
		attacks := issuer.Attacks()
		for _, m := range mutants {
			rejected := rejectedBy(t, attacks, newVerifier(issuer.Trust(), m.lapse).check)
			for _, row := range m.by {
				if !slices.Contains(rejected, row) {
					t.Errorf("one that %s: row %d finds nothing; what does: %v", m.lapse, row, rejected)
				}
			}
			if m.by == nil && len(rejected) != 0 {
				t.Errorf("a good verifier is rejected by rows %v", rejected)
			}
		}
	})
}

func rejectedBy(t *testing.T, attacks []authtest.Attack, verify authtest.Verifier) (rows []int) {
	for _, attack := range attacks {
		if attack.Check(t.Context(), verify) != nil {
			rows = append(rows, attack.Row)
		}
	}
	return rows
}

// A verifier that refuses everything, or cannot tell, does not pass either.
func TestRefusalsAloneAreNotEnough(t *testing.T) {
	honest := authtest.NewIssuer().Attacks()[0]
	if err := honest.Check(t.Context(), func(context.Context, string) error { return errRefused }); err == nil || !strings.Contains(err.Error(), "a good token was refused") {
		t.Error(err)
	}
	hostile := authtest.Attack{Row: 1, Name: "x"}
	if err := hostile.Check(t.Context(), func(context.Context, string) error { return authtest.ErrUndecided }); err == nil {
		t.Error("a verifier that could not tell has passed")
	}
}
