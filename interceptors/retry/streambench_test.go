package retry_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/interceptors/retry"
)

// wired stands for gRPC: it encodes what is sent and decodes what is received, with the codec of its options.
type wired struct {
	grpc.ClientStream
	ctx   context.Context
	codec encoding.CodecV2
}

func dialWired(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	w := &wired{ctx: ctx, codec: encoding.GetCodecV2(proto.Name)}
	for _, o := range opts {
		if o, ok := o.(grpc.ForceCodecV2CallOption); ok {
			w.codec = o.CodecV2
		}
	}
	return w, nil
}

func (w *wired) Context() context.Context     { return w.ctx }
func (w *wired) Header() (metadata.MD, error) { return metadata.MD{}, nil }
func (w *wired) Trailer() metadata.MD         { return nil }
func (w *wired) CloseSend() error             { return nil }

func (w *wired) SendMsg(m any) error {
	data, err := w.codec.Marshal(m)
	data.Free()
	return err
}

func (w *wired) RecvMsg(any) error { return nil }

// BenchmarkStreamMessage is what one message of 1 KiB costs: on a bare stream, on one that keeps what it sends, and on
// one that is committed.
func BenchmarkStreamMessage(b *testing.B) {
	message := wrapperspb.String(strings.Repeat("x", 1<<10))
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	for _, bm := range []struct {
		name      string
		retried   bool
		committed bool
	}{{"bare", false, false}, {"kept", true, false}, {"committed", true, true}} {
		open := func(b *testing.B, r *retry.Retrier) grpc.ClientStream {
			if !bm.retried {
				stream, _ := dialWired(b.Context(), desc, nil, chatMethod)
				return stream
			}
			stream, err := r.StreamClientInterceptor(b.Context(), desc, nil, chatMethod, dialWired)
			if err != nil {
				b.Fatal(err)
			}
			if bm.committed {
				if _, err := stream.Header(); err != nil {
					b.Fatal(err)
				}
			}
			return stream
		}
		b.Run("sent/"+bm.name, func(b *testing.B) {
			r := retry.New(retry.WithReplayLimit(1<<30), retry.WithReplayMemory(retry.NewReplayMemory(1<<40)))
			defer r.Close()
			stream := open(b, r)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := stream.SendMsg(message); err != nil && !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				if n++; bm.retried && !bm.committed && n == 1<<16 {
					n, stream = 0, open(b, r)
				}
			}
		})
		if bm.retried && !bm.committed {
			continue
		}
		b.Run("received/"+bm.name, func(b *testing.B) {
			r := retry.New()
			defer r.Close()
			stream := open(b, r)
			b.ReportAllocs()
			for b.Loop() {
				if err := stream.RecvMsg(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStream is what opening a stream and receiving its first message costs, over a bare stream.
func BenchmarkStream(b *testing.B) {
	message := wrapperspb.String("x")
	desc := &grpc.StreamDesc{ServerStreams: true}
	r := retry.New()
	defer r.Close()
	for name, open := range map[string]func() (grpc.ClientStream, error){
		"bare": func() (grpc.ClientStream, error) { return dialWired(b.Context(), desc, nil, watchMethod) },
		"retried": func() (grpc.ClientStream, error) {
			return r.StreamClientInterceptor(b.Context(), desc, nil, watchMethod, dialWired)
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				stream, err := open()
				if err != nil {
					b.Fatal(err)
				}
				if err := errors.Join(stream.SendMsg(message), stream.CloseSend(), stream.RecvMsg(message)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
