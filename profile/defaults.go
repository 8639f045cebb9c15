package profile

import "time"

const (
	// MaxLength is the largest MaxLength of a profile, in bytes: with 32 KiB of metadata to a call, it leaves room for the
	// rest.
	MaxLength = 24 << 10
	// MaxMembers is the largest MaxMembers of a profile.
	MaxMembers = 256
	// maxLifetime is how long a token may live (MaxLifetime).
	maxLifetime = time.Hour
	// maxAudiences is how many audiences a token may name (MaxAudiences).
	maxAudiences = 1
	// clockSkew is how far the clock of an issuer may be off (ClockSkew).
	clockSkew = 30 * time.Second
	// maxClockSkew is the largest clock skew that can be granted to an issuer.
	maxClockSkew = 5 * time.Minute
)
