package grpcbalancer

import "time"

const (
	// The further picks in search of an endpoint that the call has not tried yet.
	maxRepicks = 5
	// The longest that an endpoint gets no calls because of a pushback that it sent.
	maxRest = 30 * time.Second
)
