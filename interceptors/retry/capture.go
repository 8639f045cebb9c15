package retry

import (
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// codec is what gRPC makes of codecs of all versions.
type codec interface {
	Marshal(v any) (mem.BufferSlice, error)
	Unmarshal(data mem.BufferSlice, v any) error
}

// olderCodec is a codec of the versions that know plain bytes.
type olderCodec struct {
	codec interface {
		Marshal(v any) ([]byte, error)
		Unmarshal(data []byte, v any) error
	}
}

func (c olderCodec) Marshal(v any) (mem.BufferSlice, error) {
	data, err := c.codec.Marshal(v)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(data)}, nil
}

func (c olderCodec) Unmarshal(data mem.BufferSlice, v any) error {
	return c.codec.Unmarshal(data.Materialize(), v)
}

// codecOf finds the codec that gRPC would use with these options, in gRPC's own order, and the name by which it tells
// the server of it. It returns nil if there is none.
func codecOf(opts []grpc.CallOption) (found codec, name string) {
	subtype := ""
	for _, o := range opts {
		switch o := o.(type) {
		case grpc.ForceCodecCallOption:
			found, name = olderCodec{o.Codec}, o.Codec.Name()
		case grpc.ForceCodecV2CallOption:
			found, name = o.CodecV2, o.CodecV2.Name()
		case grpc.CustomCodecCallOption:
			found, name = olderCodec{o.Codec}, ""
		case grpc.ContentSubtypeCallOption:
			subtype = o.ContentSubtype
		}
	}
	if found != nil {
		return found, name
	}
	if subtype == "" {
		subtype = proto.Name
	}
	if older := encoding.GetCodec(subtype); older != nil {
		return olderCodec{older}, ""
	}
	if c := encoding.GetCodecV2(subtype); c != nil {
		return c, ""
	}
	return nil, ""
}

// capture is the codec of one attempt of a stream. It encodes with the codec of the call, keeps a copy of what that
// made of the message that is being sent, and gives such a copy out where a message is sent again.
//
// Between arm and disarm one goroutine sends. Others may encode messages of their own (grpc.PreparedMsg), which only
// makes a message count as one that cannot be kept.
type capture struct {
	codec
	name  string
	armed atomic.Bool

	encoded atomic.Int32 // messages since arm
	again   *frame       // what the message is encoded as, nil to encode it
	room    int          // the longest message to be kept
	kept    []byte
	whole   bool // kept is the message
	failed  bool // the message cannot be encoded

	received atomic.Bool
}

// Name is empty where gRPC would not tell the server of a codec, so that the content-type stays what it was.
func (c *capture) Name() string { return c.name }

// arm has the next message kept, unless it is longer than room, or encoded as again.
func (c *capture) arm(room int, again *frame) {
	c.encoded.Store(0)
	c.room, c.again, c.kept, c.whole, c.failed = room, again, nil, false, false
	c.armed.Store(true)
}

// disarm returns what was kept of the message, and whether it is all that was sent: an interceptor may have made
// several messages of it, or none.
func (c *capture) disarm() ([]byte, bool) {
	c.armed.Store(false)
	return c.kept, c.whole && c.encoded.Load() == 1
}

func (c *capture) Marshal(v any) (mem.BufferSlice, error) {
	if !c.armed.Load() || c.encoded.Add(1) != 1 {
		return c.codec.Marshal(v)
	}
	if c.again != nil {
		return mem.BufferSlice{mem.SliceBuffer(c.again.data)}, nil
	}
	data, err := c.codec.Marshal(v)
	switch {
	case err != nil:
		c.failed = true
	case data.Len() <= c.room:
		// Copied, because the buffers may be larger than what is in them, and a codec may hand out the caller's memory.
		c.kept, c.whole = data.Materialize(), true
	}
	return data, err
}

func (c *capture) Unmarshal(data mem.BufferSlice, v any) error {
	if !c.received.Load() {
		c.received.Store(true)
	}
	if f, ok := v.(*frame); ok {
		f.data = data.Materialize()
		return nil
	}
	return c.codec.Unmarshal(data, v)
}
