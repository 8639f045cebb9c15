package tracing

const (
	// The number of methods that one Tracer distinguishes on each side. Further methods are counted as unknown.
	maxMethods = 1000
	// The maximum length of a status message on a span, in bytes.
	maxDescriptionBytes = 1024
)

// durationBuckets are the bounds of every duration histogram, in seconds, as the semantic conventions advise.
func durationBuckets() []float64 {
	return []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
}
