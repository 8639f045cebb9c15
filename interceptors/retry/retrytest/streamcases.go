package retrytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	retrytestv1 "github.com/parley-rpc/parley/gen/parley/retrytest/v1"
)

// streamCases are about streams, which can begin anew only while the caller has nothing of them.
func streamCases() []Case {
	return []Case{
		{"13 messages that were delivered are not delivered again", plain(3), func(s *scene) error {
			s.watch = func(n int, stream grpc.ServerStreamingServer[retrytestv1.WatchResponse]) error {
				if err := sendNumbers(stream); err != nil || n > 1 {
					return err
				}
				return status.Error(codes.Unavailable, "scripted")
			}
			got, err := s.watched(time.Second)
			return errors.Join(numbers(got), is(err, codes.Unavailable), s.saw(1))
		}},
		{
			"14 a stream of the server is tried again before its first message, also after a header",
			plain(3),
			func(s *scene) error {
				s.watch = func(n int, stream grpc.ServerStreamingServer[retrytestv1.WatchResponse]) error {
					if err := stream.SetHeader(metadata.Pairs("k", "v")); err != nil {
						return err
					}
					if n == 1 {
						return status.Error(codes.Unavailable, "scripted")
					}
					return sendNumbers(stream)
				}
				got, err := s.watched(time.Second)
				return errors.Join(numbers(got), is(err, codes.OK), s.saw(2))
			},
		},
		{
			"04 a stream that is begun once has all the time that is left",
			Terms{MaxAttempts: 1, Backoff: 50 * ms, MaxBackoff: 50 * ms, PerAttempt: 50 * ms},
			func(s *scene) error {
				s.watch = func(_ int, stream grpc.ServerStreamingServer[retrytestv1.WatchResponse]) error {
					if err := taking(200*ms)(stream.Context(), 1); err != nil {
						return err
					}
					return sendNumbers(stream)
				}
				got, err := s.watched(400 * ms)
				return errors.Join(numbers(got), is(err, codes.OK), s.saw(1), s.took(200*ms, 205*ms))
			},
		},
		{
			"15 a stream whose first message does not come is tried again",
			Terms{MaxAttempts: 3, Backoff: 50 * ms, MaxBackoff: 50 * ms, PerAttempt: 50 * ms},
			func(s *scene) error {
				s.watch = func(n int, stream grpc.ServerStreamingServer[retrytestv1.WatchResponse]) error {
					if n == 1 {
						<-stream.Context().Done()
						return status.FromContextError(stream.Context().Err()).Err()
					}
					return sendNumbers(stream)
				}
				got, err := s.watched(400 * ms)
				return errors.Join(numbers(got), is(err, codes.OK), s.saw(2), s.took(50*ms, 100*ms))
			},
		},
		{"16 a stream of the client works as it does without a retrier", plain(3), func(s *scene) error {
			s.upload = func(int, int) error { return nil }
			return errors.Join(s.uploads(10, 10<<10), s.saw(1))
		}},
		{"16 a stream of the client is sent again, whole and as it was", plain(2), func(s *scene) error {
			s.upload = func(n, received int) error {
				if n == 1 && received == 5 {
					return status.Error(codes.Unavailable, "scripted")
				}
				return nil
			}
			return errors.Join(s.uploads(10, 10<<10), s.saw(2))
		}},
		{"17 a stream of the client that is too long to be kept goes on", plain(3), func(s *scene) error {
			s.upload = func(int, int) error { return nil }
			return errors.Join(s.uploads(128, 64<<10), s.saw(1))
		}},
	}
}

// sendNumbers sends three messages.
func sendNumbers(stream grpc.ServerStreamingServer[retrytestv1.WatchResponse]) error {
	for i := range int64(3) {
		if err := stream.Send(&retrytestv1.WatchResponse{Number: i}); err != nil {
			return err
		}
	}
	return nil
}

// numbers reports whether the messages of sendNumbers arrived, once each.
func numbers(got []int64) error {
	if !slices.Equal(got, []int64{0, 1, 2}) {
		return fmt.Errorf("the messages %v arrived, want 0, 1, 2", got)
	}
	return nil
}

// watched reads a stream of the server to its end.
func (s *scene) watched(limit time.Duration) (got []int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	stream, err := s.client.Watch(ctx, &retrytestv1.WatchRequest{})
	for err == nil {
		var m *retrytestv1.WatchResponse
		if m, err = stream.Recv(); err == nil {
			got = append(got, m.GetNumber())
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return got, err
}

// uploads sends n messages in one that it changes for each, as an application may, and reports whether they have
// arrived.
func (s *scene) uploads(n, size int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := s.client.Upload(ctx)
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	m := &retrytestv1.UploadRequest{Data: make([]byte, size)}
	for i := range n {
		fill(m.GetData(), i)
		if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("sending: %w", err)
		}
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		return fmt.Errorf("the call returned %w, want OK", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.uploaded) != n {
		return fmt.Errorf("%d messages arrived, want %d", len(s.uploaded), n)
	}
	want := make([]byte, size)
	for i, got := range s.uploaded {
		if fill(want, i); !bytes.Equal(got, want) {
			return fmt.Errorf("message %d arrived as another one", i)
		}
	}
	return nil
}

// fill makes the content of message i out of that of the one before.
func fill(data []byte, i int) { copy(data, strconv.Itoa(i)) }
