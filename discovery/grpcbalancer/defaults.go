package grpcbalancer

import "time"

const (
	// The maximum number of further picks to find an endpoint that the call has not tried yet.
	maxRepicks = 5
	// The longest time for which an endpoint gets no calls because of a pushback.
	maxRest = 30 * time.Second
	// How long a member of a subset may be without a connection before another instance takes its place.
	memberPatience = time.Second
	// How long other instances are preferred to such a member.
	deadMemory = 5 * time.Minute
	// The time between two looks for silent endpoints, while attempts wait for a response.
	lookInterval = 100 * time.Millisecond
	// How long an endpoint may send nothing after an attempt before the channel sends a health check.
	quietLimit = 250 * time.Millisecond
	// How long it may send nothing after the health check before it counts as silent.
	probeLimit = 500 * time.Millisecond
	// The number of instances above which a channel connects to a subset of them.
	defaultSubsetAbove = 100
	// The number of instances in a subset.
	defaultSubsetSize = 20
	// The interval over which calls are counted to find outliers.
	defaultOutlierInterval = 10 * time.Second
	// The number of calls that must end within the interval before an instance can be an outlier.
	defaultOutlierCalls = 20
	// The share of failed calls, in percent, that makes an instance an outlier.
	defaultOutlierPercent = 50
	// How long an outlier rests the first time (gRFC A50, base_ejection_time).
	defaultOutlierRest = 30 * time.Second
	// The maximum share of instances that rest as outliers at the same time, in percent.
	defaultOutlierMost = 30
	// The shortest rest of an outlier before it may return early on trial.
	leastRest = time.Second
	// The longest rest of an outlier (gRFC A50, max_ejection_time).
	maxEjection = 5 * time.Minute
	// How often weighted_round_robin updates the weights (gRFC A58, weight_update_period).
	weighPeriod = time.Second
	// How long an instance must have sent reports before they are used (gRFC A58, blackout_period).
	weightBlackout = 10 * time.Second
	// How long the last report is used (gRFC A58, weight_expiration_period).
	weightExpiry = 3 * time.Minute
	// The factor, in percent, by which the healthy instances of a zone may be overloaded before calls go to other zones
	// (Envoy's overprovisioning factor).
	overprovisioning = 140
)
