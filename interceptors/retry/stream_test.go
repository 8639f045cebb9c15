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
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/parley-rpc/parley/attempt"
	"github.com/parley-rpc/parley/interceptors/retry"
)

// watch opens a stream and receives until it ends.
func watch(ctx context.Context, cc *grpc.ClientConn) (messages int, err error) {
	stream, err := cc.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, watchMethod)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(stream.SendMsg(new(wrapperspb.StringValue)), stream.CloseSend()); err != nil {
		return 0, err
	}
	for {
		if err := stream.RecvMsg(new(wrapperspb.StringValue)); err != nil {
			return messages, err
		}
		messages++
	}
}

func TestStreamDeadline(t *testing.T) {
	for _, tt := range []struct {
		name    string
		terms   terms
		callers time.Duration
		want    time.Duration // how long the stream lives; an hour if nothing ends it
	}{
		{"no deadline is stated", terms{}, 0, time.Hour},
		{"the method states one", terms{deadline: time.Minute}, 0, time.Minute},
		{"the caller's is earlier", terms{deadline: time.Minute}, time.Second, time.Second},
		{"the caller's is later", terms{deadline: time.Minute}, 2 * time.Minute, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, nil)
				l.watch = func(ctx context.Context, _ grpc.ServerStream) error { return sleep(ctx, time.Hour) }
				cc := l.dial(t, newRetrier(t, watchMethod, tt.terms))
				ctx := t.Context()
				if tt.callers > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.callers)
					defer cancel()
				}
				start := time.Now()
				_, err := watch(ctx, cc)
				took(t, start, tt.want)
				if ended := tt.want == time.Hour; ended && !errors.Is(err, io.EOF) || !ended && status.Code(err) != codes.DeadlineExceeded {
					t.Errorf("the stream ended with %v", err)
				}
			})
		})
	}
}

// The timer of the deadline goes with the stream, however that ends.
func TestStreamDeadlineIsReleased(t *testing.T) {
	r := newRetrier(t, watchMethod, terms{deadline: time.Hour})
	var streams []context.Context
	var options []grpc.CallOption
	var fail error
	var stream grpc.ClientStream
	streamer := func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		streams, options = append(streams, ctx), opts
		return stream, fail
	}
	open := func() error {
		_, err := r.StreamClientInterceptor(t.Context(), &grpc.StreamDesc{}, nil, watchMethod, streamer)
		return err
	}
	fail = errors.New("refused by an interceptor")
	if err := open(); !errors.Is(err, fail) || streams[0].Err() == nil {
		t.Errorf("the stream that failed returned %v, and its context ended with %v", err, streams[0].Err())
	}
	fail = nil
	if err := open(); err != nil || streams[1].Err() != nil {
		t.Errorf("the stream returned %v, and its context ended with %v while it was open", err, streams[1].Err())
	}
	for _, o := range options {
		if o, ok := o.(grpc.OnFinishCallOption); ok {
			o.OnFinish(nil)
		}
	}
	if streams[1].Err() == nil {
		t.Error("the context of a finished stream has not ended")
	}
}

func TestStreamIsTheFirstAttempt(t *testing.T) {
	r := newRetrier(t, readMethod, terms{})
	var numbers []int
	_, err := r.StreamClientInterceptor(t.Context(), &grpc.StreamDesc{}, nil, watchMethod,
		func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
			if a := attempt.FromContext(ctx); a != nil {
				numbers = append(numbers, a.Number())
			}
			return nil, nil
		})
	if err != nil || len(numbers) != 1 || numbers[0] != 1 {
		t.Errorf("the stream has the attempts %v and the error %v, want the first attempt", numbers, err)
	}
}

var _ grpc.StreamClientInterceptor = (*retry.Retrier)(nil).StreamClientInterceptor
