package conn

// The parts of HTTP/2 (RFC 9113 section 4.1) that must be known to stand between two frames.
const (
	clientMagicLength = 24
	frameHeaderLength = 9

	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndStream  = 0x1
	flagEndHeaders = 0x4
)

// goAway is a GOAWAY (RFC 9113 section 6.8) that refuses no stream and says that nothing is wrong.
func goAway() []byte {
	return []byte{
		0, 0, 8, frameGoAway, 0, 0, 0, 0, 0, // length, type, flags, stream
		0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0, // the last stream that counts, error code
	}
}

// frames follows the frames in the bytes of one direction.
type frames struct {
	header  [frameHeaderLength]byte
	known   int  // bytes of the header
	body    int  // bytes that are left of the frame
	headers bool // a block of headers is not complete, and nothing may stand within
	goAway  bool // one was seen
}

// between reports whether another frame may stand here.
func (f *frames) between() bool { return f.body == 0 && f.known == 0 && !f.headers }

// left is how many bytes are missing to the end of the frame, or of its header.
func (f *frames) left() int {
	if f.body > 0 {
		return f.body
	}
	return frameHeaderLength - f.known
}

// skip takes bytes that were read or written.
func (f *frames) skip(b []byte) {
	for len(b) > 0 {
		n := min(len(b), f.left())
		if f.body > 0 {
			f.body -= n
		} else if f.known += copy(f.header[f.known:], b[:n]); f.known == frameHeaderLength {
			f.enter()
		}
		b = b[n:]
	}
}

// enter begins the body of the frame whose header is complete.
func (f *frames) enter() {
	f.known = 0
	f.body = int(f.header[0])<<16 | int(f.header[1])<<8 | int(f.header[2])
	switch f.header[3] {
	case frameHeaders, frameContinuation:
		f.headers = f.header[4]&flagEndHeaders == 0
	case frameGoAway:
		f.goAway = true
	default:
	}
}
