package principal

// Carrier is the way in which a caller proves its identity. A larger value is stricter.
type Carrier int

// The carriers.
const (
	// Any carrier.
	CarrierUnspecified Carrier = iota
	// A bearer token in the metadata of the request.
	CarrierToken
	// A connection that is bound to the caller's proof.
	CarrierConnection
)

// String is the carrier as a configuration file writes it.
func (c Carrier) String() string {
	switch c {
	case CarrierUnspecified:
		return "unspecified"
	case CarrierToken:
		return "token"
	case CarrierConnection:
		return "connection"
	default:
		return "invalid carrier"
	}
}
