package tracing

const (
	// How many methods one Tracer distinguishes on each side; further ones are counted as unknown.
	maxMethods = 1000
	// How many bytes of a status message are kept on a span.
	maxDescriptionBytes = 1024
)

// durationBuckets are the bounds of every duration histogram, in seconds, as the semantic conventions advise.
func durationBuckets() []float64 {
	return []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
}
