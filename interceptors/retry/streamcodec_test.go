package retry_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// older is a codec of the versions that know plain bytes. Its wire format is that of protobuf.
type older struct{ name string }

func (older) Marshal(v any) ([]byte, error) {
	data, err := encoding.GetCodecV2(proto.Name).Marshal(v)
	return data.Materialize(), err
}

func (older) Unmarshal(data []byte, v any) error {
	return encoding.GetCodecV2(proto.Name).Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, v)
}

func (c older) Name() string   { return c.name }
func (c older) String() string { return c.name }

// newer is a codec of today with a name of its own.
type newer struct{ encoding.CodecV2 }

func (newer) Name() string { return "newer" }

// rawCodec sends the caller's own bytes, as proxies do.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
func (rawCodec) Name() string { return "proto" }

func protoBytes(t *testing.T, text string) []byte {
	t.Helper()
	data, err := encoding.GetCodecV2(proto.Name).Marshal(wrapperspb.String(text))
	if err != nil {
		t.Fatal(err)
	}
	return data.Materialize()
}

// Whatever codec the caller chose encodes the messages, the server is told what it would be told without retry, and the
// second attempt sends the bytes of the first.
func TestCodecs(t *testing.T) {
	proto2 := encoding.GetCodecV2(proto.Name)
	for name, tt := range map[string]struct {
		opts []grpc.CallOption
		want string // content-type
		code codes.Code
	}{
		"default":                       {nil, "application/grpc", codes.OK},
		"content-subtype":               {[]grpc.CallOption{grpc.CallContentSubtype("PROTO")}, "application/grpc+proto", codes.OK},
		"content-subtype of no codec":   {[]grpc.CallOption{grpc.CallContentSubtype("nonsense")}, "", codes.Internal},
		"ForceCodecV2":                  {[]grpc.CallOption{grpc.ForceCodecV2(proto2)}, "application/grpc+proto", codes.OK},
		"ForceCodec":                    {[]grpc.CallOption{grpc.ForceCodec(older{"Proto"})}, "application/grpc+proto", codes.OK},
		"CallCustomCodec":               {[]grpc.CallOption{grpc.CallCustomCodec(older{"proto"})}, "application/grpc", codes.OK}, //nolint:staticcheck // deprecated, and in use
		"the last of several":           {[]grpc.CallOption{grpc.ForceCodec(older{"nonsense"}), grpc.ForceCodecV2(proto2)}, "application/grpc+proto", codes.OK},
		"codec and content-subtype":     {[]grpc.CallOption{grpc.ForceCodec(older{"nonsense"}), grpc.CallContentSubtype("proto")}, "application/grpc+proto", codes.OK},
		"a codec the server cannot use": {[]grpc.CallOption{grpc.ForceCodecV2(newer{proto2})}, "application/grpc+newer", codes.OK},
		"compressor":                    {[]grpc.CallOption{grpc.UseCompressor(gzip.Name)}, "application/grpc", codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			for _, retried := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					l := newLab(t, nil)
					var first, second, types []string
					typed := func(next act) act {
						return func(ctx context.Context, stream grpc.ServerStream) error {
							types = append(types, metadata.ValueFromIncomingContext(ctx, "content-type")...)
							return next(ctx, stream)
						}
					}
					if retried {
						acts(l, typed(takes(1, &first, errScripted)), typed(answers(takes(-1, &second, nil))))
					} else {
						acts(l, typed(answers(takes(-1, &second, nil))))
					}
					cc := l.dial(t, newRetrier(t, uploadMethod, terms{}))
					if !retried { // what plain gRPC does
						cc = l.dialPlain(t)
					}
					stream, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, uploadMethod, tt.opts...)
					if tt.code != codes.OK {
						if status.Code(err) != tt.code {
							t.Errorf("opening returned %v, want %v", err, tt.code)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					reply := new(wrapperspb.StringValue)
					for _, text := range []string{"1", "2", "3"} {
						err = errors.Join(err, stream.SendMsg(wrapperspb.String(text)))
					}
					if err := errors.Join(err, stream.CloseSend(), stream.RecvMsg(reply)); err != nil || reply.GetValue() != "taken" {
						t.Fatal(err, reply)
					}
					same(t, "taken", second, []string{"1", "2", "3"})
					for _, got := range types {
						if got != tt.want {
							t.Errorf("the content-type is %q, want %q", got, tt.want)
						}
					}
				})
			}
		})
	}
}

// A codec that sends the caller's own memory: what is sent again was copied.
func TestRawBytesAreCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		var first, second []string
		acts(l, takes(2, &first, errScripted), answers(takes(-1, &second, nil)))
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, uploadMethod, terms{})), uploadMethod, grpc.ForceCodecV2(rawCodec{}))
		for _, text := range []string{"1", "2", "3"} {
			message := protoBytes(t, text)
			if err := stream.SendMsg(&message); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // gRPC is done with the memory, too
			clear(message)
		}
		var reply []byte
		if err := errors.Join(stream.CloseSend(), stream.RecvMsg(&reply)); err != nil || string(reply) != string(protoBytes(t, "taken")) {
			t.Fatal(err, reply)
		}
		same(t, "taken", second, []string{"1", "2", "3"})
		l.saw(t, 2)
	})
}

// A message that gRPC has been given encoded cannot be kept. The stream works, and is not retried.
func TestPreparedMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		var got []string
		acts(l, answers(takes(-1, &got, nil)))
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, uploadMethod, terms{})), uploadMethod)
		var prepared grpc.PreparedMsg
		if err := prepared.Encode(stream, wrapperspb.String("1")); err != nil { // which asks for the context, and so commits
			t.Fatal(err)
		}
		reply := new(wrapperspb.StringValue)
		if err := errors.Join(stream.SendMsg(&prepared), stream.SendMsg(wrapperspb.String("2")), stream.CloseSend(), stream.RecvMsg(reply)); err != nil {
			t.Fatal(err)
		}
		same(t, "taken", got, []string{"1", "2"})
	})
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		var got []string
		acts(l, takes(1, &got, errScripted))
		cc := l.dial(t, newRetrier(t, uploadMethod, terms{}))
		var prepared grpc.PreparedMsg
		origin := opened(t.Context(), t, l.dialPlain(t), uploadMethod)
		if err := errors.Join(prepared.Encode(origin, wrapperspb.String("1")), origin.CloseSend()); err != nil {
			t.Fatal(err)
		}
		_ = origin.RecvMsg(new(wrapperspb.StringValue))
		l.calls.Store(0)
		stream := opened(t.Context(), t, cc, uploadMethod)
		err := errors.Join(stream.SendMsg(&prepared), stream.CloseSend())
		if err != nil {
			t.Fatal(err)
		}
		stopped(t, stream.RecvMsg(new(wrapperspb.StringValue)), codes.Unavailable, retry.StopCommitted, 1)
	})
}

// A message that cannot be sent fails on the spot, as it does without retry.
func TestMessagesThatCannotBeSent(t *testing.T) {
	for name, tt := range map[string]struct {
		message any
		opts    []grpc.CallOption
		code    codes.Code
	}{
		"not a message": {"text", nil, codes.Internal},
		"too long":      {wrapperspb.String("too long"), []grpc.CallOption{grpc.MaxCallSendMsgSize(4)}, codes.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				acts(l, hangs)
				plain := opened(t.Context(), t, l.dialPlain(t), chatMethod, tt.opts...)
				want := plain.SendMsg(tt.message)
				r := newRetrier(t, chatMethod, terms{codes: []string{"INTERNAL", "RESOURCE_EXHAUSTED"}})
				stream := opened(t.Context(), t, l.dial(t, r), chatMethod, tt.opts...)
				err := stream.SendMsg(tt.message)
				stopped(t, err, tt.code, retry.StopNotRetryable, 1)
				if err.Error() != want.Error() {
					t.Errorf("the error is %q, want %q", err, want)
				}
				if err := stream.RecvMsg(new(wrapperspb.StringValue)); err == nil {
					t.Error("the stream goes on")
				}
			})
		})
	}
}

// passage is what an interceptor of attempts does with the messages of one direction.
type passage func(attempt int, next func(any) error, m any) error

type interceptedStream struct {
	grpc.ClientStream
	attempt       int
	send, receive passage // nil for none
}

func (s *interceptedStream) SendMsg(m any) error {
	if s.send == nil {
		return s.ClientStream.SendMsg(m)
	}
	return s.send(s.attempt, s.ClientStream.SendMsg, m)
}

func (s *interceptedStream) RecvMsg(m any) error {
	if s.receive == nil {
		return s.ClientStream.RecvMsg(m)
	}
	return s.receive(s.attempt, s.ClientStream.RecvMsg, m)
}

func intercepted(send, receive passage) grpc.DialOption {
	return grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := streamer(ctx, desc, cc, method, opts...)
		if err != nil {
			return nil, err
		}
		return &interceptedStream{stream, attempt.FromContext(ctx).Number(), send, receive}, nil
	})
}

func TestInterceptorsOfAttempts(t *testing.T) {
	errRefused := status.Error(codes.InvalidArgument, "refused by an interceptor")
	for name, tt := range map[string]struct {
		send   func(seen *[]string) passage
		second []string // what the second stream takes
		seen   []string
	}{
		"sees what the caller sent": {
			send: func(seen *[]string) passage {
				return func(_ int, next func(any) error, m any) error {
					*seen = append(*seen, m.(*wrapperspb.StringValue).GetValue())
					return next(m)
				}
			},
			second: []string{"1", "2"}, seen: []string{"1", "2", "1", "2"},
		},
		"changes every message once": {
			send: func(*[]string) passage {
				return func(_ int, next func(any) error, m any) error {
					return next(wrapperspb.String(m.(*wrapperspb.StringValue).GetValue() + "!"))
				}
			},
			second: []string{"1!", "2!"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				var first, second, seen []string
				acts(l, takes(-1, &first, errScripted), answers(takes(-1, &second, nil)))
				stream := opened(t.Context(), t, l.dial(t, newRetrier(t, uploadMethod, terms{}), intercepted(tt.send(&seen), nil)), uploadMethod)
				err := errors.Join(stream.SendMsg(wrapperspb.String("1")), stream.SendMsg(wrapperspb.String("2")), stream.CloseSend(), stream.RecvMsg(new(wrapperspb.StringValue)))
				if err != nil {
					t.Fatal(err)
				}
				same(t, "the second stream took", second, tt.second)
				if tt.seen != nil {
					same(t, "seen", seen, tt.seen)
				}
			})
		})
	}
	t.Run("makes two messages of one, so that none is kept", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var got []string
			acts(l, takes(-1, &got, errScripted))
			stream := opened(t.Context(), t, l.dial(t, newRetrier(t, uploadMethod, terms{}), intercepted(func(_ int, next func(any) error, m any) error {
				return errors.Join(next(m), next(m))
			}, nil)), uploadMethod)
			if err := errors.Join(stream.SendMsg(wrapperspb.String("1")), stream.CloseSend()); err != nil {
				t.Fatal(err)
			}
			stopped(t, stream.RecvMsg(new(wrapperspb.StringValue)), codes.Unavailable, retry.StopCommitted, 1)
			same(t, "taken", got, []string{"1", "1"})
		})
	})
	t.Run("refuses to send again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var got []string
			acts(l, takes(-1, &got, errScripted), hangs)
			stream := opened(t.Context(), t, l.dial(t, newRetrier(t, uploadMethod, terms{}), intercepted(func(attempt int, next func(any) error, m any) error {
				if attempt > 1 {
					return errRefused
				}
				return next(m)
			}, nil)), uploadMethod)
			if err := errors.Join(stream.SendMsg(wrapperspb.String("1")), stream.CloseSend()); err != nil {
				t.Fatal(err)
			}
			stopped(t, stream.RecvMsg(new(wrapperspb.StringValue)), codes.InvalidArgument, retry.StopNotRetryable, 2)
		})
	})
	t.Run("refuses a message while the caller receives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			acts(l, hangs)
			stream := opened(t.Context(), t, l.dial(t, newRetrier(t, chatMethod, terms{}), intercepted(func(int, func(any) error, any) error { return errRefused }, nil)), chatMethod)
			received := make(chan error)
			go func() { received <- stream.RecvMsg(new(wrapperspb.StringValue)) }()
			synctest.Wait()
			err := stream.SendMsg(wrapperspb.String("1"))
			stopped(t, err, codes.InvalidArgument, retry.StopNotRetryable, 1)
			if err := <-received; status.Code(err) != codes.InvalidArgument {
				t.Errorf("receiving returned %v", err)
			}
		})
	})
	t.Run("refuses to send again what has been answered", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, nil)
			var taken []string // before the failure, which else could be there before the message
			acts(l, takes(1, &taken, errScripted), func(ctx context.Context, stream grpc.ServerStream) error {
				return errors.Join(stream.SendMsg(wrapperspb.String("hello")), sleep(ctx, time.Hour))
			})
			stream := opened(t.Context(), t, l.dial(t, newRetrier(t, chatMethod, terms{}), intercepted(func(attempt int, next func(any) error, m any) error {
				if attempt > 1 {
					time.Sleep(ms)
					return errRefused
				}
				return next(m)
			}, nil)), chatMethod)
			if err := stream.SendMsg(wrapperspb.String("1")); err != nil {
				t.Fatal(err)
			}
			got, err := drained(stream)
			same(t, "received", got, []string{"hello"})
			stopped(t, err, codes.InvalidArgument, retry.StopCommitted, 2)
		})
	})
}

// A message that is being sent while another attempt begins goes to that one, after all that was sent before.
func TestMessageInFlightGoesToTheNextAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		var second []string
		acts(l, hangs, answers(takes(-1, &second, nil)))
		slow := func(attempt int, next func(any) error, m any) error {
			err := next(m)
			if attempt == 1 && m.(*wrapperspb.StringValue).GetValue() == "2" {
				time.Sleep(200 * ms)
			}
			return err
		}
		stream := opened(t.Context(), t, l.dial(t, newRetrier(t, chatMethod, terms{perAttempt: 50 * ms, attempts: 2}), intercepted(slow, nil)), chatMethod)
		received := make(chan error)
		go func() { received <- stream.RecvMsg(new(wrapperspb.StringValue)) }()
		for _, text := range []string{"1", "2", "3"} {
			if err := stream.SendMsg(wrapperspb.String(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(stream.CloseSend(), <-received); err != nil {
			t.Fatal(err)
		}
		same(t, "the second stream took", second, []string{"1", "2", "3"})
		l.saw(t, 2)
	})
}

// The timeout may end an attempt whose first message is on its way up. That is not delivered, because nothing would
// follow it, and comes again.
func TestMessageOfAnAttemptThatWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(0, 1, nil))
		slow := func(attempt int, next func(any) error, m any) error {
			err := next(m)
			if attempt == 1 {
				time.Sleep(100 * ms)
			}
			return err
		}
		got, err := drained(watched(t.Context(), t, l.dial(t, newRetrier(t, watchMethod, terms{perAttempt: 50 * ms}), intercepted(nil, slow))))
		same(t, "received", got, []string{"0", "1"})
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		l.saw(t, 2)
	})
}

// A stream that was given up while its first message was on its way up is over when no operation receives any more.
func TestStreamGivenUpWithItsFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, sends(0, 1, errScripted))
		ctx, cancel := context.WithCancel(t.Context())
		giveUp := func(_ int, next func(any) error, m any) error {
			err := next(m)
			cancel()
			time.Sleep(ms)
			return err
		}
		var finished []error
		stream := watched(ctx, t, l.dial(t, newRetrier(t, watchMethod, terms{}), intercepted(nil, giveUp)), grpc.OnFinish(func(err error) { finished = append(finished, err) }))
		if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			t.Fatal(err)
		}
		if len(finished) != 1 || status.Code(finished[0]) != codes.Canceled {
			t.Errorf("OnFinish was called with %v, want once, with CANCELLED", finished)
		}
	})
}

// The same while a message was on its way down. Nothing is kept of it.
func TestStreamGivenUpWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, nil)
		acts(l, hangs)
		ctx, cancel := context.WithCancel(t.Context())
		giveUp := func(_ int, next func(any) error, m any) error {
			err := next(m)
			cancel()
			time.Sleep(ms)
			return err
		}
		memory := retry.DefaultReplayMemory()
		var finished []error
		cc := l.dial(t, newRetrier(t, chatMethod, terms{}, retry.WithReplayMemory(memory)), intercepted(giveUp, nil))
		stream := opened(ctx, t, cc, chatMethod, grpc.OnFinish(func(err error) { finished = append(finished, err) }))
		if err := stream.SendMsg(wrapperspb.String("1")); err != nil {
			t.Fatal(err)
		}
		if len(finished) != 1 || status.Code(finished[0]) != codes.Canceled || memory.InUse() != 0 {
			t.Errorf("OnFinish was called with %v, want once, with CANCELLED; %d bytes are kept", finished, memory.InUse())
		}
	})
}

// An interceptor that ends a stream of which gRPC goes on is believed, and gRPC's stream is ended.
func TestStreamEndedByAnInterceptor(t *testing.T) {
	for _, committed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			refused := status.Error(codes.PermissionDenied, "the server has proven nothing")
			ended := make(chan struct{})
			l := newLab(t, nil)
			acts(l, func(ctx context.Context, _ grpc.ServerStream) error {
				<-ctx.Done()
				close(ended)
				return nil
			})
			var header metadata.MD
			cc := l.dial(t, newRetrier(t, chatMethod, terms{}), intercepted(nil, func(int, func(any) error, any) error { return refused }))
			stream := opened(t.Context(), t, cc, chatMethod, grpc.Header(&header))
			if committed {
				_ = stream.Context()
			}
			err := stream.RecvMsg(new(wrapperspb.StringValue))
			stopped(t, err, codes.PermissionDenied, map[bool]retry.StopReason{true: retry.StopCommitted, false: retry.StopNotRetryable}[committed], 1)
			<-ended
		})
	}
}
