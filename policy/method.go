package policy

import "time"

// Method is the effective policy of one method: what the .proto and every layer state, merged. It is a snapshot; its
// slices are shared and must not be changed.
type Method struct {
	// Name is the full name as gRPC writes it: "/shop.payments.v1.PaymentsService/Charge".
	Name string
	// Described reports whether a linked .proto describes the method. One that is not described has no policy at all.
	Described bool
	// ClientStreams reports whether the client sends a stream of messages.
	ClientStreams bool
	// ServerStreams reports whether the server sends a stream of messages.
	ServerStreams bool
	// Idempotency says whether the method may be repeated: the author's idempotency_level, even as unknown, and where the
	// .proto has none, what code or a file states.
	Idempotency Value[Idempotency]
	// Auth says who may call.
	Auth Auth
	// Trial is what is only tried of who may call: what it refuses passes, and is logged and counted. It is stated apart
	// from Auth, and what Auth refuses is refused whatever Trial says.
	Trial Auth
	// Deadline is the longest a call may take, all attempts and waits included. Not stated: none.
	Deadline Value[time.Duration]
	// Retry says how a failed call is tried again.
	Retry Retry
	// Hedge says how a slow call is raced against a second attempt.
	Hedge Hedge
}

// Streams reports whether either side sends a stream of messages.
func (m Method) Streams() bool { return m.ClientStreams || m.ServerStreams }
