package grpcbalancer

import "time"

const (
	// The further picks in search of an endpoint that the call has not tried yet.
	maxRepicks = 5
	// The longest that an endpoint gets no calls because of a pushback that it sent.
	maxRest = 30 * time.Second
	// How long a member of a subset may be without a connection before another instance takes its place.
	memberPatience = time.Second
	// How long such a member stands behind all other instances.
	deadMemory = 5 * time.Minute
	// How often a channel looks for silent endpoints, while attempts wait.
	lookInterval = 100 * time.Millisecond
	// How long an endpoint may send nothing after an attempt before it is asked for its health.
	quietLimit = 250 * time.Millisecond
	// How long it may then send nothing before it is silent.
	probeLimit = 500 * time.Millisecond
	// The number of instances above which a channel connects to a subset of them.
	defaultSubsetAbove = 100
	// How many instances a subset has.
	defaultSubsetSize = 20
	// How long calls are counted together, where outliers rest.
	defaultOutlierInterval = 10 * time.Second
	// How many calls must have ended within the interval before anybody is an outlier.
	defaultOutlierCalls = 20
	// How many of them failed on an outlier, in percent.
	defaultOutlierPercent = 50
	// How long an outlier rests at first (gRFC A50, base_ejection_time).
	defaultOutlierRest = 30 * time.Second
	// How many of the instances may rest at once as outliers, in percent.
	defaultOutlierMost = 30
	// How long an outlier rests at least before it may return early on trial.
	leastRest = time.Second
	// The longest that an outlier rests (gRFC A50, max_ejection_time).
	maxEjection = 5 * time.Minute
	// How often weighted_round_robin weighs the instances (gRFC A58, weight_update_period).
	weighPeriod = time.Second
	// How long reports must have come before they count (gRFC A58, blackout_period).
	weightBlackout = 10 * time.Second
	// How long the last report counts (gRFC A58, weight_expiration_period).
	weightExpiry = 3 * time.Minute
	// How much more than its share of the healthy weight a zone is trusted with before calls spill over, in percent
	// (Envoy's overprovisioning factor).
	overprovisioning = 140
)
