package attempt

// Choice is the endpoint to which a balancing policy sends an attempt.
type Choice struct {
	// Endpoint is the address that the resolver returned: "10.0.0.7:8443", or a name.
	Endpoint string
	// Alone reports whether the policy has no other endpoint for the call, so that a hedge would only wait in the same
	// queue.
	Alone bool
	// Waiting has the attempts that wait for the endpoint. It is nil if the policy does not notice silent endpoints.
	Waiting *Waiting
}

// Choose records the endpoint of the attempt. It is for the picker of a balancing policy, which finds the attempt in
// the context of its PickInfo; a later choice replaces an earlier one. C must not change afterwards. It may be called
// on any goroutine, and does nothing for a nil Attempt.
func (a *Attempt) Choose(c *Choice) {
	if a == nil {
		return
	}
	a.choice.Store(c)
	if a.nowhere.Load() { // usually not, which costs less than to write
		a.nowhere.Store(false)
	}
	if a.listens && c.Waiting != nil {
		a.join(c.Waiting)
	}
	if a.chosen != nil {
		a.chosen(*c)
	}
}

// SetHurried records that the attempt has less time than attempts of its method usually take. A balancing policy then
// does not count a timeout as a failure of the endpoint. It must be called before the attempt is on the wire. It does
// nothing for a nil Attempt.
func (a *Attempt) SetHurried() {
	if a != nil {
		a.hurried = true
	}
}

// Hurried reports whether SetHurried was called.
func (a *Attempt) Hurried() bool { return a != nil && a.hurried }

// NoEndpoints records that the balancing policy has no endpoints, so that there is no connection to wait for. It is for
// the picker, as [Attempt.Choose] is, and does nothing for a nil Attempt.
func (a *Attempt) NoEndpoints() {
	if a != nil {
		a.nowhere.Store(true)
	}
}

// Nowhere reports whether the balancing policy had no endpoints for the attempt. It may be called on any goroutine.
func (a *Attempt) Nowhere() bool { return a != nil && a.nowhere.Load() }

// Choice returns the endpoint of the attempt, even while the attempt is in flight. It returns the zero Choice if no
// picker recorded one. It may be called on any goroutine.
func (a *Attempt) Choice() Choice {
	if a == nil {
		return Choice{}
	}
	if c := a.choice.Load(); c != nil {
		return *c
	}
	return Choice{}
}

// OnChoice calls f with each choice at once. It does not replace functions that were registered before. It must be
// called before the attempt is on the wire, on the goroutine that sends it; f runs inside the picker and must be fast.
// It does nothing for a nil Attempt.
func (a *Attempt) OnChoice(f func(Choice)) {
	if a == nil {
		return
	}
	if earlier := a.chosen; earlier != nil {
		a.chosen = func(c Choice) {
			earlier(c)
			f(c)
		}
		return
	}
	a.chosen = f
}
