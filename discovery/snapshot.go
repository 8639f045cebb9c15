package discovery

import (
	"cmp"
	"slices"
	"time"
)

// Snapshot is the state of a Registry at one moment, for display.
type Snapshot struct {
	// Driver is the name of the engine and its address.
	Driver string
	// Services are the followed services, sorted by name.
	Services []ServiceSnapshot
	// Registrations are the instances of this process, sorted by service and ID.
	Registrations []RegistrationSnapshot
	// File is the file of [WithLastKnownGood], or "". FileErr is the last error of reading or writing it, or nil.
	File    string
	FileErr error
}

// ServiceSnapshot describes one service.
type ServiceSnapshot struct {
	// Service is its name.
	Service string
	// State is the state that subscribers receive.
	State State
	// Listed are the instances that the engine lists, including draining ones, sorted by ID. Do not modify it.
	Listed []Instance
	// Users is the number of subscriptions. The watch continues for a while after the last one; see [WithLinger].
	Users int
	// Restarts counts the failed attempts to follow the service.
	Restarts int
	// Shown counts the states that were published, and Changed is the time of the last one.
	Shown   uint64
	Changed time.Time
}

// RegistrationSnapshot describes the registration of one instance of this process.
type RegistrationSnapshot struct {
	// Instance is the instance that is or will be announced.
	Instance Instance
	// Registered is the result of [Registration.Registered].
	Registered bool
	// Err is the result of [Registration.Err].
	Err error
	// Announced counts how often the engine has accepted the instance. A number above 1 means that the engine has lost it
	// in between.
	Announced int
}

// Snapshot describes the Registry now.
func (r *Registry) Snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Snapshot{
		Driver:        r.driver.String(),
		Services:      make([]ServiceSnapshot, 0, len(r.watches)),
		Registrations: make([]RegistrationSnapshot, 0, len(r.registrations)),
	}
	s.File, s.FileErr = r.memory.describe()
	for _, w := range r.watches {
		s.Services = append(s.Services, w.snapshot())
	}
	for reg := range r.registrations {
		s.Registrations = append(s.Registrations, reg.snapshot())
	}
	slices.SortFunc(s.Services, func(a, b ServiceSnapshot) int { return cmp.Compare(a.Service, b.Service) })
	slices.SortFunc(s.Registrations, func(a, b RegistrationSnapshot) int {
		return cmp.Or(cmp.Compare(a.Instance.Service, b.Instance.Service), cmp.Compare(a.Instance.ID, b.Instance.ID))
	})
	return s
}

// snapshot describes the watch. The caller holds the Registry's lock.
func (w *watch) snapshot() ServiceSnapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return ServiceSnapshot{
		Service:  w.service,
		State:    w.state,
		Listed:   w.listed,
		Users:    w.users,
		Restarts: w.restarts,
		Shown:    w.version,
		Changed:  w.changed,
	}
}
