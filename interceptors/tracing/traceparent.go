package tracing

import (
	"encoding/hex"

	"go.opentelemetry.io/otel/trace"
)

// The layout of a traceparent of version 00 (W3C Trace Context, section 3.2): version-trace-span-flags.
const (
	versionEnd        = 2
	traceIDEnd        = versionEnd + 1 + 32
	spanIDEnd         = traceIDEnd + 1 + 16
	traceparentLength = spanIDEnd + 1 + 2

	knownFlags = trace.FlagsSampled | trace.FlagsRandom
)

// formatTraceparent returns the traceparent of sc.
func formatTraceparent(sc trace.SpanContext) string {
	var text [traceparentLength]byte
	trace, span := sc.TraceID(), sc.SpanID()
	text[0], text[1], text[versionEnd], text[traceIDEnd], text[spanIDEnd] = '0', '0', '-', '-', '-'
	hex.Encode(text[versionEnd+1:], trace[:])
	hex.Encode(text[traceIDEnd+1:], span[:])
	hex.Encode(text[spanIDEnd+1:], []byte{byte(sc.TraceFlags() & knownFlags)})
	return string(text[:])
}

// parseTraceparent parses a traceparent according to the W3C: version 00 strictly, and the known part of later
// versions. It reports false if the header must be ignored.
func parseTraceparent(text string) (trace.SpanContextConfig, bool) {
	var sc trace.SpanContextConfig
	var version, flags [1]byte
	if len(text) < traceparentLength || text[versionEnd] != '-' || text[traceIDEnd] != '-' || text[spanIDEnd] != '-' {
		return sc, false
	}
	if !decodeHex(version[:], text[:versionEnd]) || !decodeHex(sc.TraceID[:], text[versionEnd+1:traceIDEnd]) ||
		!decodeHex(sc.SpanID[:], text[traceIDEnd+1:spanIDEnd]) || !decodeHex(flags[:], text[spanIDEnd+1:traceparentLength]) {
		return sc, false
	}
	switch rest := text[traceparentLength:]; {
	case version[0] == 0xff:
		return sc, false
	case version[0] == 0 && (rest != "" || flags[0] > byte(knownFlags)):
		return sc, false
	case rest != "" && rest[0] != '-':
		return sc, false
	}
	sc.TraceFlags = trace.TraceFlags(flags[0]) & knownFlags
	return sc, sc.TraceID.IsValid() && sc.SpanID.IsValid()
}

// decodeHex decodes lower-case hexadecimal digits, two to a byte. The W3C allows no others.
func decodeHex(dst []byte, text string) bool {
	for i := range len(text) {
		if text[i]&0x60 == 0x40 { // upper-case letters have these bits, digits do not
			return false
		}
	}
	_, err := hex.Decode(dst, []byte(text))
	return err == nil
}
