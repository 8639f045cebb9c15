package conn

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func addrPort(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

// frame is a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, body []byte) []byte {
	b := []byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), body...)
}

// message is the prefix of a gRPC message of a length, and its first bytes.
func messageOf(length, sent int) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(length)), make([]byte, sent)...)
}

// begin begins a request whose message has sent bytes of length.
func begin(stream uint32, length, sent int) []byte {
	b := frame(frameHeaders, flagEndHeaders, stream, make([]byte, 20))
	for body := messageOf(length, sent); len(body) > 0; {
		n := min(16<<10, len(body))
		b = append(b, frame(frameData, 0, stream, body[:n])...)
		body = body[n:]
	}
	return b
}

func newStranger(t *testing.T, w *WaitingRoom, address string) (*stranger, *visit) {
	c := from(address)
	return &stranger{visitor: enter(t, w, c), magic: clientMagicLength}, c
}

// feed hands bytes over in pieces.
func feed(s *stranger, b []byte) error {
	for len(b) > 0 {
		n := min(len(b), 10_000)
		if err := s.take(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// What a connection that has proven nothing leaves unfinished is bounded, and no more than that.
func TestUnfinishedRequestsOfStrangers(t *testing.T) {
	const mib = 1 << 20
	for name, test := range map[string]struct {
		send func(*stranger) error
		want error
	}{
		"one of the largest size": {func(s *stranger) error { return feed(s, begin(1, 4*mib, 4*mib-1)) }, nil},
		"two halves of it": {func(s *stranger) error {
			return errors.Join(feed(s, begin(1, 4*mib, 2*mib)), feed(s, begin(3, 4*mib, 2*mib)))
		}, nil},
		"ten of them": {func(s *stranger) error {
			for n := range uint32(10) {
				if err := feed(s, begin(1+2*n, 4*mib, 4*mib-1)); err != nil {
					return err
				}
			}
			return nil
		}, errTooMuch},
		"many that are finished": {func(s *stranger) error {
			for n := range uint32(10) {
				if err := feed(s, append(begin(1+2*n, mib, mib), frame(frameData, flagEndStream, 1+2*n, nil)...)); err != nil {
					return err
				}
			}
			return nil
		}, nil},
		"many messages of one stream": {func(s *stranger) error {
			err := feed(s, begin(1, mib, mib))
			for range 10 {
				for body := messageOf(mib, mib); len(body) > 0 && err == nil; {
					n := min(16<<10, len(body))
					err = feed(s, frame(frameData, 0, 1, body[:n]))
					body = body[n:]
				}
			}
			return err
		}, nil},
		"many that are reset": {func(s *stranger) error {
			for n := range uint32(10) {
				if err := feed(s, append(begin(1+2*n, 4*mib, 2*mib), frame(frameReset, 0, 1+2*n, make([]byte, 4))...)); err != nil {
					return err
				}
			}
			return nil
		}, nil},
		"many that the server ended": {func(s *stranger) error {
			for n := range uint32(10) {
				if err := feed(s, begin(1+2*n, 4*mib, 2*mib)); err != nil {
					return err
				}
				s.answer(frame(frameHeaders, flagEndHeaders|flagEndStream, 1+2*n, make([]byte, 30)))
			}
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := newStranger(t, &WaitingRoom{Room: 8}, "10.0.0.1:1")
			defer s.close()
			if err := test.send(s); !errors.Is(err, test.want) || c.closed.Load() != (test.want != nil) {
				t.Errorf("%v, closed %v; want %v", err, c.closed.Load(), test.want)
			}
		})
	}
}

func TestNobodyBoundsARequestOfAKnownConnection(t *testing.T) {
	s, c := newStranger(t, &WaitingRoom{Room: 8}, "10.0.0.1:1")
	_ = s.visitor.Release()
	for n := range uint32(10) {
		if err := feed(s, begin(1+2*n, 8<<20, 4<<20)); err != nil || c.closed.Load() {
			t.Fatalf("%v, closed %v", err, c.closed.Load())
		}
	}
}

// All strangers together hold no more than their part; the one that holds most makes room.
func TestStrangersTogether(t *testing.T) {
	w := &WaitingRoom{Room: 100}
	var all []*visit
	for n := range 20 {
		s, c := newStranger(t, w, "10.0.0."+string(rune('1'+n%9))+":1")
		defer s.close()
		_ = feed(s, begin(1, 4<<20, 4<<20-1-n))
		all = append(all, c)
	}
	if w.bytes > maxStrangersBytes {
		t.Errorf("they hold %d bytes", w.bytes)
	}
	if !all[0].closed.Load() || all[19].closed.Load() {
		t.Error("the one that held most was not the one that was closed")
	}
}

func TestAStrangersRequestThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newStranger(t, &WaitingRoom{Room: 8}, "10.0.0.1:1")
		if err := feed(s, begin(1, 1000, 10)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(strangerTime - time.Nanosecond)
		synctest.Wait()
		if c.closed.Load() {
			t.Error("closed early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !c.closed.Load() || !errors.Is(s.visitor.Release(), errTooLong) {
			t.Error("not closed")
		}
	})
}

var _ net.Conn = (*visit)(nil)
