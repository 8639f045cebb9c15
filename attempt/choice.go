package attempt

// Choice is where a balancing policy sends an attempt.
type Choice struct {
	// Endpoint is the address as the policy knows it: "10.0.0.7:8443", or a name where the resolver yields names.
	Endpoint string
	// Alone says that the policy has no other endpoint for the call now, so that a second attempt beside this one would
	// only join the same queue.
	Alone bool
	// Waiting holds the attempts that wait for the endpoint; nil where the policy does not notice silent ones.
	Waiting *Waiting
}

// Choose records where the attempt is sent. It is for the picker of a balancing policy, which finds the attempt in the
// context of its PickInfo; a later choice replaces an earlier one. C must not change afterwards. It may be called on
// any goroutine, and does nothing for a nil Attempt.
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

// SetHurried records that the attempt has less time than attempts of its method usually take, so that a balancing
// policy holds nothing against an endpoint where that time runs out. It must be called before the attempt is on the
// wire. It does nothing for a nil Attempt.
func (a *Attempt) SetHurried() {
	if a != nil {
		a.hurried = true
	}
}

// Hurried reports whether SetHurried was called.
func (a *Attempt) Hurried() bool { return a != nil && a.hurried }

// NoEndpoints records that the balancing policy knows no endpoint, so that there is no connection to wait for. It is
// for the picker, as [Attempt.Choose] is, and does nothing for a nil Attempt.
func (a *Attempt) NoEndpoints() {
	if a != nil {
		a.nowhere.Store(true)
	}
}

// Nowhere reports whether the balancing policy knew no endpoint for the attempt. It may be called on any goroutine.
func (a *Attempt) Nowhere() bool { return a != nil && a.nowhere.Load() }

// Choice is where the attempt was sent, also while it is still out, and the zero Choice where no picker said so. It may
// be called on any goroutine.
func (a *Attempt) Choice() Choice {
	if a == nil {
		return Choice{}
	}
	if c := a.choice.Load(); c != nil {
		return *c
	}
	return Choice{}
}

// OnChoice makes each choice known to f at once, and to those who asked before. It must be called before the attempt is
// on the wire, on the goroutine that sends it; f runs inside the picker and must be fast. It does nothing for a nil
// Attempt.
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
