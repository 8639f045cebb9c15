package trustdir

import (
	"errors"
	"io/fs"
)

// What a look-up may fail with.
var (
	// ErrUnknownKey says that no file holds the key.
	ErrUnknownKey = errors.New("trustdir: unknown key")
	// ErrRevoked says that the key is listed under revoked/.
	ErrRevoked = errors.New("trustdir: revoked key")
	// ErrAmbiguous says that the key is found under two IDs.
	ErrAmbiguous = errors.New("trustdir: key of two IDs")
	// ErrUnavailable says that there is nothing to look the key up in: the directory was never read, could not be read for
	// more than an hour, or is closed.
	ErrUnavailable = errors.New("trustdir: no keys available")
)

var errMissingValidID = errors.New("trustdir: Options.ValidID is missing; say what a valid ID is")

// PathError names a file or directory that cannot be used.
type PathError struct {
	// Path is the place.
	Path string
	// Problem says what is wrong with it.
	Problem string
	// Remedy says what to do about it. May be empty.
	Remedy string
	// Err is the error below. May be nil.
	Err error
}

// Error is place, problem and remedy.
func (e *PathError) Error() string {
	text := e.Path + ": " + e.Problem
	if e.Err != nil && !errors.Is(e.Err, fs.ErrNotExist) { // the problem says so already
		text += ": " + e.Err.Error()
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the error below.
func (e *PathError) Unwrap() error { return e.Err }
