package retry

import (
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
)

// takeOptions makes the options of the attempts: those of the caller, without OnFinish, which is for the call, and one
// that keeps the trailer.
func (c *call) takeOptions(opts []grpc.CallOption) {
	c.options = c.told.room[:0]
	for _, o := range opts {
		if _, ok := o.(grpc.OnFinishCallOption); !ok {
			c.options = append(c.options, o)
		}
	}
	// Clipped, so that what an interceptor appends for one attempt is not written where the next one reads.
	c.options = slices.Clip(append(c.options, grpc.Trailer(&c.told.trailer)))
}

// resetOptions empties what the attempt before has left in the caller's variables. gRPC does not write there if an
// attempt reaches no server.
func (c *call) resetOptions() {
	for _, o := range c.options {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = nil
		case grpc.TrailerCallOption:
			*o.TrailerAddr = nil
		case grpc.PeerCallOption:
			*o.PeerAddr = peer.Peer{}
		}
	}
}

// finish calls the caller's OnFinish options, and returns err.
func finish(opts []grpc.CallOption, err error) error {
	for _, o := range opts {
		if o, ok := o.(grpc.OnFinishCallOption); ok {
			o.OnFinish(err)
		}
	}
	return err
}
