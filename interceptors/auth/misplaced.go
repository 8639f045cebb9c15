package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/parley-rpc/parley/internal/quote"
	"github.com/parley-rpc/parley/internal/verify"
	"github.com/parley-rpc/parley/internal/wire"
	"github.com/parley-rpc/parley/principal"
)

// tokenPlaces are the verifiers of the tokens that a call may bring, by their places; nil where there is none.
type tokenPlaces struct {
	workloads    *verify.Verifier
	users        userVerifiers
	transactions *verify.Verifier
}

// misplacedBearer adds to the error of a token in the place of the calling workload's that it claims to be a user's,
// which is the usual cause of such an error. It is for the log: nothing is proven of the token, and no caller learns of
// it.
func (p tokenPlaces) misplacedBearer(compact string, err error) error {
	workloads, users, transactions, unknown := p.claimedKind(compact, err)
	switch {
	case workloads:
		return err
	case unknown != "":
		return unknownIssuer(unknown, err)
	case users:
		return fmt.Errorf(
			"%w; a user's token stands in authorization, which is for that of the calling workload: it belongs in %s, "+
				"or, from a caller that its connection proves, in authorization WithUserAuthorization (user_authorization)",
			err, wire.UserTokenKey)
	case transactions:
		return fmt.Errorf("%w; a transaction token stands in authorization; it belongs in %s", err, wire.TransactionTokenKey)
	default:
		return err
	}
}

// misplacedUser is misplacedBearer for a token in a place of the user's.
func (p tokenPlaces) misplacedUser(compact string, u *receivedUser, err error) error {
	workloads, users, transactions, unknown := p.claimedKind(compact, err)
	switch isTransaction := u.key == wire.TransactionTokenKey; {
	case users && !isTransaction, transactions && isTransaction:
		return err
	case users || transactions:
		belongs := wire.UserTokenKey
		if transactions {
			belongs = wire.TransactionTokenKey
		}
		return fmt.Errorf("%w; a token for another place stands in %s; it belongs in %s", err, u.place, belongs)
	case workloads && u.place == wire.AuthorizationKey:
		return fmt.Errorf(
			"%w; a workload's token stands in authorization, which is the user's where a connection proves the caller; "+
				"leave it out", err)
	case workloads:
		return fmt.Errorf("%w; a workload's token stands in %s, which is the user's", err, u.place)
	case unknown != "":
		return unknownIssuer(unknown, err)
	default:
		return err
	}
}

// unknownIssuer puts the cause that can be mended ahead of another one, such as the type of a token: no setting of it
// would let the token of an unknown issuer pass.
func unknownIssuer(issuer string, err error) error {
	if errors.Is(err, verify.ErrUnknownIssuer) {
		return err
	}
	return fmt.Errorf("iss is %s, which is no issuer that is accepted here; %w", quote.Text(issuer), err)
}

// claimedKind is what a token would be by the iss that it states, where err refuses it for something else than its
// form. Unknown is an iss that no place of the server knows.
func (p tokenPlaces) claimedKind(compact string, err error) (workloads, users, transactions bool, unknown string) {
	if verify.BadForm(err) {
		return false, false, false, ""
	}
	issuer, ok := verify.ClaimedIssuer(compact)
	if !ok {
		return false, false, false, ""
	}
	workloads = p.workloads.Accepts(issuer) || strings.HasPrefix(issuer, principal.Scheme)
	users, transactions = p.users.accepts(issuer), p.transactions.Accepts(issuer)
	if !workloads && !users && !transactions {
		unknown = issuer
	}
	return workloads, users, transactions, unknown
}
