package auth

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/parley-rpc/parley/keyset"
)

// Users are rules about end users that may change while servers run, such as those of a mesh. Hand them to servers
// with [WithUsers]. They keep the keys of the issuers, until Close. They are safe for concurrent use.
type Users struct {
	options []keyset.Option

	mu     sync.Mutex
	rules  []*userRule
	next   []*userRule // of a change that is not decided yet
	limit  []UserRule  // the rules beside which none counts for new calls; nil without a limit
	keys   []*ruleKeys
	gates  map[userServer]struct{}
	closed bool
}

// userServer is a server that uses the rules.
type userServer interface {
	// newUserSet makes the set of the issuers of its options and of rules. Its error is what is wrong with them there.
	newUserSet(rules []*userRule, counts func(*userRule) bool) (*userSet, error)
	// useUsers puts a set in force for new calls.
	useUsers(s *userSet)
	// endUntrusted ends what rests on keys that are not trusted any more.
	endUntrusted()
}

// adoptUsers makes rules count for new calls of a server. With a mistake, no token of a user is accepted.
func adoptUsers(g userServer, rules []*userRule, counts func(*userRule) bool) error {
	s, err := g.newUserSet(rules, counts)
	if err != nil {
		s = new(userSet)
	}
	g.useUsers(s)
	return err
}

// ruleKeys are the keys of rules that state them alike.
type ruleKeys struct {
	of   UserRule // one of them
	set  *keyset.Set
	stop func()
}

// NewUsers returns Users without rules. The options are for the keys of issuers.
func NewUsers(keys ...keyset.Option) *Users {
	return &Users{options: keys, gates: map[userServer]struct{}{}}
}

// WithUsers accepts the tokens of the rules of u, beside those of [WithUserIssuers]. An issuer is stated in one of the
// two places. Where the connection proves the caller, and a rule looks for tokens in authorization, that is the user's
// for it, as with [WithUserAuthorization].
func WithUsers(u *Users) ServerOption {
	return serverOption{"auth.WithUsers", func(c *serverConfig) { c.users = u }}
}

// UserRuleState is a rule in force, and what its keys are.
type UserRuleState struct {
	UserRule

	// Trusted is the issuer, with its keys, as [CheckToken] takes it.
	Trusted Issuer
}

// Rules returns the rules in force.
func (u *Users) Rules() []UserRuleState {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	states := make([]UserRuleState, 0, len(u.rules))
	for _, r := range u.rules {
		states = append(states, UserRuleState{r.rule(), r.issuer})
	}
	return states
}

// issuers are those who vouch for users, also by a change that is being decided. A nil Users has none.
func (u *Users) issuers() []string {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	rules := u.rules
	if u.next != nil {
		rules = u.next
	}
	names := make([]string, 0, len(rules))
	for _, r := range rules {
		names = append(names, r.issuer.Name)
	}
	return names
}

// UserChange is a change of the rules of Users, which [Users.Prepare] has found good. End it with Apply or Discard.
type UserChange struct {
	users  *Users
	stated []UserRule
	rules  []*userRule
	fresh  []*ruleKeys
	sets   map[userServer]*userSet
}

// Prepare checks rules that are to replace all that are there, with every server that uses them, and begins to read
// their keys. Its error joins every mistake. One change can be prepared at a time.
func (u *Users) Prepare(rules ...UserRule) (*UserChange, error) {
	c := &UserChange{users: u, stated: rules, sets: map[userServer]*userSet{}}
	if err := c.prepare(rules); err != nil {
		c.release(c.fresh)
		return nil, err
	}
	return c, nil
}

func (c *UserChange) prepare(rules []UserRule) error {
	u := c.users
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || u.next != nil {
		return errors.New("auth: Users are closed, or another change of them is being decided")
	}
	var errs []error
	for _, stated := range rules {
		r, err := c.rule(stated)
		errs = append(errs, err)
		c.rules = append(c.rules, r)
	}
	err := errors.Join(errs...)
	for g := range u.gates {
		if err == nil {
			c.sets[g], err = g.newUserSet(c.rules, all)
		}
	}
	if err == nil {
		u.next = append([]*userRule{}, c.rules...)
	}
	return err
}

// rule returns the rule that is in force already, or a new one.
func (c *UserChange) rule(stated UserRule) (*userRule, error) {
	for _, r := range c.users.rules {
		if r.rule().same(stated) && !slices.Contains(c.rules, r) {
			return r, nil
		}
	}
	keys, err := c.keysOf(stated)
	r, ruleErr := newUserRule(stated, keys.set)
	return r, errors.Join(err, ruleErr)
}

// keysOf returns keys that are there already, or begins to read new ones.
func (c *UserChange) keysOf(stated UserRule) (*ruleKeys, error) {
	for _, k := range slices.Concat(c.users.keys, c.fresh) {
		if k.serve(stated) {
			return k, nil
		}
	}
	options := append(slices.Clone(c.users.options), keyset.WithUnstatedRSA())
	k := &ruleKeys{of: stated}
	switch {
	case stated.JWKS != "":
		k.set = keyset.Static([]byte(stated.JWKS), options...)
	case stated.FetchTimeout != 0:
		options = append(options, keyset.WithTimeout(stated.FetchTimeout))
		fallthrough
	default:
		k.set = keyset.Provider(stated.Issuer, options...)
		if stated.JWKSURL != "" {
			k.set = keyset.URL(stated.JWKSURL, options...)
		}
	}
	k.stop = k.set.Listen(func(uint64) { c.users.endUntrusted() })
	c.fresh = append(c.fresh, k)
	if err := k.set.Check(); err != nil {
		return k, fmt.Errorf("%s: %w", stated.Place, err)
	}
	return k, nil
}

// serve reports whether a rule states its keys alike.
func (k *ruleKeys) serve(r UserRule) bool {
	provider := r.JWKS == "" && r.JWKSURL == ""
	return k.of.JWKS == r.JWKS && k.of.JWKSURL == r.JWKSURL && k.of.FetchTimeout == r.FetchTimeout &&
		(!provider || k.of.Issuer == r.Issuer)
}

// Apply puts the change in force. Streams of users whom no rule in force vouches for any more end.
func (c *UserChange) Apply() {
	u := c.users
	u.mu.Lock()
	before := u.rules
	u.rules, u.next, u.limit = c.rules, nil, nil
	for n, r := range c.rules {
		r.stated.Store(&c.stated[n]) // which may stand elsewhere now
	}
	for _, r := range before {
		if !slices.Contains(c.rules, r) {
			r.withdrawn.Store(true)
		}
	}
	for g := range u.gates {
		if set := c.sets[g]; set != nil {
			g.useUsers(set)
		} else { // it came after Prepare, which cannot have found a mistake in it
			_ = adoptUsers(g, c.rules, all)
		}
	}
	u.keys = append(u.keys, c.fresh...)
	var left []*ruleKeys
	u.keys = slices.DeleteFunc(u.keys, func(k *ruleKeys) bool {
		used := slices.ContainsFunc(c.rules, func(r *userRule) bool { return r.issuer.Keys == k.set })
		if !used {
			left = append(left, k)
		}
		return !used
	})
	u.mu.Unlock()
	c.release(left)
	u.endUntrusted()
}

// Discard leaves everything as it was.
func (c *UserChange) Discard() {
	c.users.mu.Lock()
	c.users.next = nil
	c.users.mu.Unlock()
	c.release(c.fresh)
}

func (c *UserChange) release(keys []*ruleKeys) {
	for _, k := range keys {
		k.stop()
		_ = k.set.Close() // which never fails
	}
}

// Limit lets only those rules in force count for new calls that are among rules, until the next Limit, Lift or change.
// Streams go on, and what callers write where a rule writes claims stays hidden.
func (u *Users) Limit(rules ...UserRule) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.limit = append([]UserRule{}, rules...)
	u.adopt()
}

// Lift ends Limit.
func (u *Users) Lift() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.limit != nil {
		u.limit = nil
		u.adopt()
	}
}

// counts reports whether a rule in force counts for new calls.
func (u *Users) counts(r *userRule) bool {
	return u.limit == nil || slices.ContainsFunc(u.limit, r.rule().same)
}

// all lets every rule count.
func all(*userRule) bool { return true }

func (u *Users) adopt() {
	for g := range u.gates {
		_ = adoptUsers(g, u.rules, u.counts) // Prepare has found no mistake in them
	}
}

// join lets a server use the rules. Its error is what is wrong with them there.
func (u *Users) join(g userServer) (leave func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.gates[g] = struct{}{}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.gates, g)
	}, adoptUsers(g, u.rules, u.counts)
}

func (u *Users) endUntrusted() {
	u.mu.Lock()
	gates := make([]userServer, 0, len(u.gates))
	for g := range u.gates {
		gates = append(gates, g)
	}
	u.mu.Unlock()
	for _, g := range gates {
		g.endUntrusted()
	}
}

// Close ends the reading of keys. Users are then refused. It always returns nil.
func (u *Users) Close() error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	keys := u.keys
	u.closed, u.keys = true, nil
	u.mu.Unlock()
	(&UserChange{}).release(keys)
	return nil
}
