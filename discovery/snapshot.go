package discovery

import (
	"cmp"
	"slices"
	"time"
)

// Snapshot is what a Registry knows and does at one moment, for people to read.
type Snapshot struct {
	// Driver names the engine and where it is.
	Driver string
	// Services are those that are followed, sorted by name.
	Services []ServiceSnapshot
	// Registrations are the instances of this process, sorted by service and ID.
	Registrations []RegistrationSnapshot
	// File is that of [WithLastKnownGood], or "". FileErr is why it could not be read or written last, or nil.
	File    string
	FileErr error
}

// ServiceSnapshot is what is known of one service.
type ServiceSnapshot struct {
	// Service is its name.
	Service string
	// State is what users of the service are shown.
	State State
	// Listed is what the engine lists, draining instances included, sorted by ID. Nobody may change it.
	Listed []Instance
	// Users counts those who follow the service now. At 0 the watch lingers.
	Users int
	// Restarts counts the attempts to follow the service that have failed.
	Restarts int
	// Shown counts the states that users were shown, and Changed is when the present one was.
	Shown   uint64
	Changed time.Time
}

// RegistrationSnapshot is how one own instance stands.
type RegistrationSnapshot struct {
	// Instance is what is announced, or is to be.
	Instance Instance
	// Registered is what [Registration.Registered] says.
	Registered bool
	// Err is what [Registration.Err] says.
	Err error
	// Announced counts how often the engine has taken the instance; more than once means that it was lost in between.
	Announced int
}

// Snapshot returns what the Registry knows and does now.
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
	return ServiceSnapshot{Service: w.service, State: w.state, Listed: w.listed, Users: w.users, Restarts: w.restarts, Shown: w.version, Changed: w.changed}
}
