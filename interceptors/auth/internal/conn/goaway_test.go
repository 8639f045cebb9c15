package conn

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// However the bytes come and are read, the GOAWAY stands between two frames, once, and nothing else is changed.
func TestGoAwayStandsBetweenFrames(t *testing.T) {
	goAway := []byte{0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			near, far := net.Pipe()
			var sent []byte
			for range 200 {
				length := random.IntN(40)
				sent = append(sent, 0, 0, byte(length), byte(random.IntN(7)), flagEndHeaders, 0, 0, 0, 1)
				sent = append(sent, bytes.Repeat([]byte{0xff}, length)...)
			}
			go func() {
				for rest := sent; len(rest) > 0; {
					n := 1 + random.IntN(min(60, len(rest)))
					if _, err := far.Write(rest[:n]); err != nil {
						t.Error(err)
					}
					rest = rest[n:]
					time.Sleep(time.Second)
				}
				_ = far.Close()
			}()
			reader := &goAwayReader{}
			time.AfterFunc(80*time.Second, func() { reader.drain(near) })
			read := func(b []byte) (int, error) { return reader.read(near, b, true) }
			var got []byte
			sizes := rand.New(rand.NewPCG(seed, 2))
			for {
				b := make([]byte, 1+sizes.IntN(60))
				n, err := read(b)
				if got = append(got, b[:n]...); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			var frames []byte
			goAways := 0
			for rest := got; len(rest) > 0; {
				frame := rest[:9+int(rest[2])]
				if rest = rest[len(frame):]; bytes.Equal(frame, goAway) {
					goAways++
				} else {
					frames = append(frames, frame...)
				}
			}
			if goAways != 1 || !bytes.Equal(frames, sent) {
				t.Errorf("seed %d: %d GOAWAYs, frames unchanged: %v", seed, goAways, bytes.Equal(frames, sent))
			}
		})
	}
}
