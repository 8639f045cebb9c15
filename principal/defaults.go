package principal

const (
	// maxDomainLength is the most bytes of a trust domain.
	maxDomainLength = 255
	// maxIDLength is the most bytes of an ID.
	maxIDLength = 2048
)
