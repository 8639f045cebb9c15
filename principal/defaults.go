package principal

const (
	// maxDomainLength is the most bytes of a trust domain.
	maxDomainLength = 255
	// maxIDLength is the most bytes of an ID.
	maxIDLength = 2048
	// maxClaimPathLength is the most bytes of the names that lead to a claim.
	maxClaimPathLength = 256
	// maxClaimPathDots is how many dots they may have that could be parts of a name.
	maxClaimPathDots = 5
	// maxClaimDepth is how deep a claim may stand.
	maxClaimDepth = 8
)
