package attempt

// SetRenewable says whether [Attempt.Renew] leads to another attempt of the call, which it does not by default. It is
// for the code that makes the attempts, such as package retry, and may be called on any goroutine.
func (a *Attempt) SetRenewable(yes bool) { a.renewable.Store(yes) }

// Renewable reports whether [Attempt.Renew] leads to another attempt of the call. Where it does not, no code outside
// listens, and the owner of the credential may make the attempt again by itself, unless the attempt follows a renewal.
// It may be called on any goroutine. A nil Attempt is not renewable.
func (a *Attempt) Renewable() bool { return a != nil && a.renewable.Load() }

// Renew records that the server has refused the credential of the attempt, and that there is a new one, so that another
// attempt may fare better. It is for the interceptor that owns the credential, on the goroutine that saw the attempt
// fail. Package retry allows one such attempt for each call. It does nothing for a nil Attempt.
func (a *Attempt) Renew() {
	if a != nil {
		a.renewed = true
	}
}

// Renewed reports whether there is a new credential since the attempt failed. It is valid once the attempt has ended,
// on the goroutine that saw it end.
func (a *Attempt) Renewed() bool { return a != nil && a.renewed }

// FollowRenewal records that the attempt was allowed because of a new credential. It is for package retry, before the
// attempt is on the wire.
func (a *Attempt) FollowRenewal() { a.followsRenewal = true }

// FollowsRenewal reports whether the attempt was allowed because of a new credential. If that is refused too, another
// one will not help, and its owner need not fetch it.
func (a *Attempt) FollowsRenewal() bool { return a != nil && a.followsRenewal }
