package framework

// SetRetries switches the retries and hedges of all clients off, or on again, while calls run: one knob for the operator
// of a program in trouble, which the admin page has, too. Calls then have one attempt. It is on at first.
func (a *App) SetRetries(on bool) { a.retries.Set(on) }

// Retries tells whether retries and hedges are switched on.
func (a *App) Retries() bool { return a.retries.On() }
