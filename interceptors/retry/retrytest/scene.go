package retrytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	retrytestv1 "github.com/parley-rpc/parley/gen/parley/retrytest/v1"
)

// scene is a server with a script, and a channel to it with the retrier in it.
type scene struct {
	retrytestv1.UnimplementedScriptServiceServer

	// answer is the script: it meets attempt n, counted from 1 over the whole case.
	answer func(ctx context.Context, n int) error
	watch  func(n int, stream grpc.ServerStreamingServer[retrytestv1.WatchResponse]) error
	// upload may end an upload that has received so many messages.
	upload func(n, received int) error

	mu       sync.Mutex
	arrivals []arrival
	uploaded [][]byte    // by the attempt that was answered
	down     atomic.Bool // connections are refused

	listener *bufconn.Listener
	server   *grpc.Server
	serving  sync.WaitGroup
	stop     func()
	cc       *grpc.ClientConn
	client   retrytestv1.ScriptServiceClient
	begun    time.Time
}

// arrival is an attempt as the server sees it.
type arrival struct {
	at        time.Time
	announced []string // grpc-previous-rpc-attempts
}

// open sets the scene. Close ends all that it has started.
func open(subject Subject, terms Terms) (*scene, error) {
	s := &scene{listener: bufconn.Listen(1 << 16), server: grpc.NewServer()}
	retrytestv1.RegisterScriptServiceServer(s.server, s)
	s.serving.Go(func() { _ = s.server.Serve(s.listener) }) // ends with the server
	options, stop := subject(terms)
	s.stop = stop
	var err error
	s.cc, err = grpc.NewClient("passthrough:///script", append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(s.dial),
		grpc.WithConnectParams(
			grpc.ConnectParams{
				Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond},
			},
		),
	}, options...)...)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("the channel cannot be made with the options of the subject: %w", err)
	}
	s.client = retrytestv1.NewScriptServiceClient(s.cc)
	s.begun = time.Now()
	return s, nil
}

func (s *scene) close() {
	if s.cc != nil {
		_ = s.cc.Close() // a case may have closed it
	}
	if s.stop != nil {
		s.stop()
	}
	s.server.Stop()
	s.serving.Wait()
}

func (s *scene) dial(ctx context.Context, _ string) (net.Conn, error) {
	if s.down.Load() {
		return nil, errors.New("connection refused")
	}
	return s.listener.DialContext(ctx)
}

// arrive notes an attempt, and returns its number.
func (s *scene) arrive(ctx context.Context) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = append(
		s.arrivals,
		arrival{time.Now(), metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts")},
	)
	return len(s.arrivals)
}

// attempts are those that have arrived.
func (s *scene) attempts() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]arrival(nil), s.arrivals...)
}

func (s *scene) Read(ctx context.Context, _ *retrytestv1.ReadRequest) (*retrytestv1.ReadResponse, error) {
	n := s.arrive(ctx)
	if err := s.answer(ctx, n); err != nil {
		return nil, err
	}
	return &retrytestv1.ReadResponse{Attempt: int64(n)}, nil
}

func (s *scene) Act(ctx context.Context, _ *retrytestv1.ActRequest) (*retrytestv1.ActResponse, error) {
	n := s.arrive(ctx)
	if err := s.answer(ctx, n); err != nil {
		return nil, err
	}
	return &retrytestv1.ActResponse{Attempt: int64(n)}, nil
}

func (s *scene) Watch(_ *retrytestv1.WatchRequest, stream grpc.ServerStreamingServer[retrytestv1.WatchResponse]) error {
	return s.watch(s.arrive(stream.Context()), stream)
}

func (s *scene) Upload(stream grpc.ClientStreamingServer[retrytestv1.UploadRequest, retrytestv1.UploadResponse]) error {
	attempt := s.arrive(stream.Context())
	var received [][]byte
	for {
		if err := s.upload(attempt, len(received)); err != nil {
			return err
		}
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		received = append(received, m.GetData())
	}
	s.mu.Lock()
	s.uploaded = received
	s.mu.Unlock()
	return stream.SendAndClose(&retrytestv1.UploadResponse{Messages: int64(len(received))})
}

// read makes a call with a deadline after limit.
func (s *scene) read(limit time.Duration, opts ...grpc.CallOption) (*retrytestv1.ReadResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.client.Read(ctx, &retrytestv1.ReadRequest{}, opts...)
}

// saw reports whether the server saw so many attempts.
func (s *scene) saw(want int) error {
	if got := len(s.attempts()); got != want {
		return fmt.Errorf("the server saw %d attempts, want %d", got, want)
	}
	return nil
}

// took reports whether so much time has passed since the case began.
func (s *scene) took(least, most time.Duration) error {
	if got := time.Since(s.begun); got < least || got > most {
		return fmt.Errorf("the call took %v, want %v to %v", got, least, most)
	}
	return nil
}

// is reports whether an error has the code.
func is(err error, want codes.Code) error {
	if got := status.Code(err); got != want {
		return fmt.Errorf("the call returned %v (%w), want %v", got, err, want)
	}
	return nil
}

// failing fails the first n attempts.
func failing(n int, code codes.Code) func(context.Context, int) error {
	return func(_ context.Context, attempt int) error {
		if attempt <= n {
			return status.Error(code, "scripted")
		}
		return nil
	}
}

func always(code codes.Code) func(context.Context, int) error {
	return func(context.Context, int) error { return status.Error(code, "scripted") }
}

// taking takes its time for each of the first attempts, and then no time.
func taking(times ...time.Duration) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		if n > len(times) {
			return nil
		}
		select {
		case <-time.After(times[n-1]):
			return nil
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// trailing makes a script add trailers to what it answers.
func trailing(pairs []string, script func(context.Context, int) error) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		err := script(ctx, n)
		if err == nil {
			return nil
		}
		if failed := grpc.SetTrailer(ctx, metadata.Pairs(pairs...)); failed != nil {
			return failed
		}
		return err
	}
}
