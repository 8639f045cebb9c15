package policy

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parley-rpc/parley/principal"
)

// Change is one difference between two policies of a method.
type Change struct {
	// Field is the field that differs, as a path in the schema parley.policy.v1.Policy ("auth.peers").
	Field string
	// Effect says what the change does to those who call.
	Effect Effect
	// Text says what changes, in words: "spiffe://shop.example/orders may call now".
	Text string
	// Source is where the policy after the change states it, or where the policy before did if the other one states
	// nothing about it.
	Source Source
}

// Effect is what a change does to those who call.
type Effect int

// The effects.
const (
	// It changes how calls are made, and neither who may call nor what callers rely on.
	EffectNone Effect = iota
	// A call that was refused may pass now.
	EffectOpens
	// A call that passed may be refused now.
	EffectCloses
	// Callers lose something that they rely on: time, attempts, or that a call may be repeated.
	EffectShortens
)

// String is the effect in one word.
func (e Effect) String() string {
	switch e {
	case EffectNone:
		return "changes"
	case EffectOpens:
		return "opens"
	case EffectCloses:
		return "closes"
	case EffectShortens:
		return "shortens"
	default:
		return "invalid effect"
	}
}

// Compare lists what differs between two policies of one method, in the order of the schema. It takes nothing for an
// opening less: where two patterns or rules cannot be compared, it says that a change opens. So do other guards, whose
// rules are not compared: a change of theirs both opens and closes. What is only on trial
// neither opens nor closes anything.
func Compare(before, after Method) []Change {
	d := &differences{}
	d.auth(before.Auth, after.Auth, EffectOpens)
	d.auth(after.Auth, before.Auth, EffectCloses)
	if !sameAuth(before.Trial, after.Trial) {
		source := cmp.Or(after.Trial.Access.Source, before.Trial.Access.Source)
		d.add("auth.dry_run", EffectNone, "what is on trial changes", source)
	}
	d.repeating(before, after)
	duration := func(field string, effect Effect, before, after Value[time.Duration]) {
		scalar(d, field, effect, before, after, time.Duration.String)
	}
	duration("deadline.max", EffectShortens, before.Deadline, after.Deadline)
	attempts := EffectShortens
	if !before.Retry.MaxAttempts.Stated() && after.Retry.MaxAttempts.Value > 1 {
		attempts = EffectNone // the retrier's default may be less
	}
	scalar(d, "retry.max_attempts", attempts, before.Retry.MaxAttempts, after.Retry.MaxAttempts, strconv.Itoa)
	duration("retry.initial_backoff", EffectNone, before.Retry.InitialBackoff, after.Retry.InitialBackoff)
	duration("retry.max_backoff", EffectNone, before.Retry.MaxBackoff, after.Retry.MaxBackoff)
	duration("retry.per_attempt_timeout", EffectNone, before.Retry.PerAttemptTimeout, after.Retry.PerAttemptTimeout)
	d.codes(before, after)
	scalar(d, "hedge.max_hedges", EffectNone, before.Hedge.MaxHedges, after.Hedge.MaxHedges, strconv.Itoa)
	duration("hedge.delay", EffectNone, before.Hedge.Delay, after.Hedge.Delay)
	return d.all
}

type differences struct{ all []Change }

func (d *differences) add(field string, effect Effect, text string, source Source) {
	d.all = append(d.all, Change{field, effect, text, source})
}

// auth adds what strict demands and loose does not. The two are the policies before and after where that opens, and
// turned round where that closes.
func (d *differences) auth(strict, loose Auth, effect Effect) {
	opens := effect == EffectOpens
	add := func(field string, source, other Source, opening, closing string) {
		if opens {
			d.add(field, effect, opening, cmp.Or(other, source))
		} else {
			d.add(field, effect, closing, cmp.Or(source, other))
		}
	}
	level(add, "auth.access", strict.Access, loose.Access, Access.String)
	level(add, "auth.carrier", strict.Carrier, loose.Carrier, principal.Carrier.String)
	level(add, "auth.proof", atLeast(strict.Proof, ProofSession), atLeast(loose.Proof, ProofSession), Proof.String)
	for _, list := range strict.Peers {
		if gained, covered := beyondPeers(list.Value, loose.Peers); !covered {
			names := strings.Join(gained, ", ")
			if len(gained) == 0 {
				names = "workloads other than " + strings.Join(list.Value, ", ")
			}
			add("auth.peers", list.Source, Source{}, names+" may call now", names+" may no longer call")
		}
	}
	everyWord(add, "auth.scopes", "scope", strict.Scopes, loose.Scopes)
	for _, rule := range strict.Deny {
		if !hasRule(loose.Deny, &rule) {
			add("auth.deny", rule.Source, Source{},
				"rule "+rule.String()+" no longer denies", "rule "+rule.String()+" denies now")
		}
	}
	for _, list := range strict.Allow {
		kept := func(other Value[[]Rule]) bool { return withinRules(other.Value, list.Value) }
		if slices.ContainsFunc(loose.Allow, kept) {
			continue
		}
		names := make([]string, len(list.Value))
		for i, rule := range list.Value {
			names[i] = rule.Name
		}
		ruled := strings.Join(names, ", ")
		add("auth.allow", list.Source, Source{},
			"callers whom none of the rules "+ruled+" allows may call now",
			"callers whom none of the rules "+ruled+" allows may no longer call")
	}
	for _, guard := range strict.Guards {
		if !slices.ContainsFunc(loose.Guards, guard.Same) {
			source := Source{Kind: KindFile, Place: guard.String()}
			add("auth.guards", source, Source{}, "callers whom these rules refuse may call now",
				"callers whom these rules refuse may no longer call")
		}
	}
	level(add, "auth.user.presence", atLeast(strict.User.Presence, PresenceOptional),
		atLeast(loose.User.Presence, PresenceOptional), Presence.String)
	issuers, others := strict.User.Issuers, loose.User.Issuers
	if issuers.Stated() && (!others.Stated() || !within(others.Value, issuers.Value)) {
		gained := strings.Join(missing(issuers.Value, others.Value), ", ")
		if !others.Stated() {
			gained = "issuers other than " + strings.Join(issuers.Value, ", ")
		}
		add("auth.user.issuers", issuers.Source, others.Source,
			gained+" may vouch for users now", gained+" may no longer vouch for users")
	}
	everyWord(add, "auth.user.scopes", "scope of the user", strict.User.Scopes, loose.User.Scopes)
}

type adder func(field string, source, other Source, opening, closing string)

// level adds the level of strict if it is the stricter one.
func level[T cmp.Ordered](add adder, field string, strict, loose Value[T], name func(T) string) {
	if strict.Value > loose.Value {
		higher, lower := name(strict.Value), name(loose.Value)
		add(field, strict.Source, loose.Source,
			"it is "+lower+" now and was "+higher, "it is "+higher+" now and was "+lower)
	}
}

// atLeast is v with the level that it has where none is stated.
func atLeast[T cmp.Ordered](v Value[T], least T) Value[T] {
	v.Value = max(v.Value, least)
	return v
}

// everyWord adds what only strict asks for.
func everyWord(add adder, field, what string, strict, loose Value[[]string]) {
	for _, word := range missing(loose.Value, strict.Value) {
		add(field, strict.Source, loose.Source, what+" "+quote(word)+" is no longer asked for",
			what+" "+quote(word)+" is asked for now")
	}
}

// missing are the words that are in all and not in some.
func missing(some, all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(word string) bool { return slices.Contains(some, word) })
}

func within(inner, outer []string) bool { return len(missing(outer, inner)) == 0 }

func withinRules(inner, outer []Rule) bool { return len(everyRule(outer, inner)) == len(outer) }

// beyondPeers reports whether one of the lists lets only workloads pass that known lets pass, and otherwise which
// patterns go beyond it in the list that comes closest.
func beyondPeers(known []string, lists []Value[[]string]) (gained []string, covered bool) {
	for i, list := range lists {
		beyond := slices.DeleteFunc(slices.Clone(list.Value), func(p string) bool {
			return slices.ContainsFunc(known, func(q string) bool { return covers(q, p) })
		})
		if len(beyond) == 0 {
			return nil, true
		}
		if i == 0 || len(beyond) < len(gained) {
			gained = beyond
		}
	}
	return gained, false
}

// covers reports whether every workload of pattern p is one of pattern q. A name belongs to a trust domain that is not
// known here, so it is compared with names alone.
func covers(q, p string) bool {
	if p == q {
		return true
	}
	wide, err := principal.ParsePattern(q)
	if err != nil {
		return false
	}
	// Below a pattern with a star there is every ID, so one that no other pattern names stands for all of them.
	some, err := principal.ParseID(strings.TrimSuffix(p, "*") + strings.Repeat("x", strings.Count(p, "*")))
	return err == nil && wide.Matches(some) && (!strings.HasSuffix(p, "*") || strings.HasSuffix(q, "*"))
}

func sameAuth(a, b Auth) bool {
	d := &differences{}
	d.auth(a, b, EffectOpens)
	d.auth(b, a, EffectCloses)
	return len(d.all) == 0
}

// repeating compares what is known about repeating a call.
func (d *differences) repeating(before, after Method) {
	old, now := before.Idempotency, after.Idempotency
	if old.Value == now.Value {
		return
	}
	effect := EffectNone
	if now.Value < old.Value {
		effect = EffectShortens
	}
	d.add("idempotency", effect, "the method is "+now.Value.String()+" now and was "+old.Value.String(),
		cmp.Or(now.Source, old.Source))
}

// scalar compares two values. The effect is that of a smaller one, and of one that comes where nothing was stated.
func scalar[T cmp.Ordered](d *differences, field string, effect Effect, before, after Value[T], name func(T) string) {
	if before.Stated() == after.Stated() && before.Value == after.Value {
		return
	}
	in := func(v Value[T]) string {
		if !v.Stated() {
			return "not stated"
		}
		return name(v.Value)
	}
	if !after.Stated() || before.Stated() && after.Value > before.Value {
		effect = EffectNone
	}
	d.add(field, effect, "it is "+in(after)+" now and was "+in(before), cmp.Or(after.Source, before.Source))
}

func (d *differences) codes(before, after Method) {
	old, now := before.Retry.Codes, after.Retry.Codes
	if old.Stated() == now.Stated() && slices.Equal(old.Value, now.Value) {
		return
	}
	d.add("retry.codes", EffectNone, "other status codes are retried", cmp.Or(now.Source, old.Source))
}
