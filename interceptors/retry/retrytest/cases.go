package retrytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	retrytestv1 "github.com/parley-rpc/parley/gen/parley/retrytest/v1"
)

const ms = time.Millisecond

// Cases are the promises of a retrier.
func Cases() []Case {
	cases := slices.Concat(timeCases(), serversWord(), safetyCases(), streamCases(), loadCases(), callerCases())
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
	return cases
}

func plain(attempts int) Terms {
	return Terms{MaxAttempts: attempts, Backoff: 50 * ms, MaxBackoff: 400 * ms}
}

// timeCases are about deadlines and waits.
func timeCases() []Case {
	return []Case{
		{
			"01 no wait that leaves no time",
			Terms{MaxAttempts: 3, Backoff: time.Second, MaxBackoff: time.Second},
			func(s *scene) error {
				s.answer = always(codes.Unavailable)
				_, err := s.read(300 * ms)
				return errors.Join(is(err, codes.Unavailable), s.saw(1), s.took(0, 20*ms))
			},
		},
		{
			"03 a per-attempt timeout ends what hangs",
			Terms{MaxAttempts: 3, Backoff: 50 * ms, MaxBackoff: 400 * ms, PerAttempt: 100 * ms},
			func(s *scene) error {
				s.answer = taking(time.Hour, 20*ms)
				_, err := s.read(time.Second)
				return errors.Join(is(err, codes.OK), s.saw(2), s.took(120*ms, 170*ms))
			},
		},
		{
			"04 the last attempt has all the time that is left",
			Terms{MaxAttempts: 2, Backoff: 50 * ms, MaxBackoff: 50 * ms, PerAttempt: 100 * ms},
			func(s *scene) error {
				s.answer = taking(150*ms, 150*ms)
				_, err := s.read(time.Second)
				return errors.Join(is(err, codes.OK), s.saw(2), s.took(250*ms, 300*ms))
			},
		},
		{
			"04 an attempt that must not be repeated has all the time that is left",
			Terms{MaxAttempts: 3, Backoff: 50 * ms, MaxBackoff: 400 * ms, PerAttempt: 100 * ms},
			func(s *scene) error {
				s.answer = taking(400 * ms)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_, err := s.client.Act(ctx, &retrytestv1.ActRequest{})
				return errors.Join(is(err, codes.OK), s.saw(1), s.took(400*ms, 405*ms))
			},
		},
		{
			"04 a single attempt has all the time that is left",
			Terms{MaxAttempts: 1, Backoff: 50 * ms, MaxBackoff: 400 * ms, PerAttempt: 100 * ms},
			func(s *scene) error {
				s.answer = taking(400 * ms)
				_, err := s.read(time.Second)
				return errors.Join(is(err, codes.OK), s.saw(1), s.took(400*ms, 405*ms))
			},
		},
		{
			"05 a caller who gives up ends the wait",
			Terms{MaxAttempts: 3, Backoff: time.Second, MaxBackoff: time.Second},
			func(s *scene) error {
				s.answer = pushing(time.Second)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				time.AfterFunc(100*ms, cancel)
				_, err := s.client.Read(ctx, &retrytestv1.ReadRequest{})
				return errors.Join(is(err, codes.Canceled), s.saw(1), s.took(100*ms, 105*ms))
			},
		},
		{
			"06 closing the channel ends the wait",
			Terms{MaxAttempts: 3, Backoff: time.Second, MaxBackoff: time.Second},
			func(s *scene) error {
				s.answer = pushing(1500 * ms)
				time.AfterFunc(100*ms, func() { _ = s.cc.Close() })
				_, err := s.read(5 * time.Second)
				if err == nil {
					return errors.New("the call succeeded on a closed channel")
				}
				return errors.Join(s.saw(1), s.took(100*ms, 150*ms))
			},
		},
	}
}

// pushing fails each attempt and asks for a pause of d.
func pushing(d time.Duration) func(context.Context, int) error {
	return trailing([]string{"grpc-retry-pushback-ms", fmt.Sprint(d.Milliseconds())}, always(codes.Unavailable))
}

// serversWord are about what servers say of another attempt.
func serversWord() []Case {
	cases := []Case{
		{"08 a pushback is waited for exactly, also after a header", plain(3), func(s *scene) error {
			s.answer = trailing([]string{"grpc-retry-pushback-ms", "250"}, func(ctx context.Context, n int) error {
				if err := grpc.SetHeader(ctx, metadata.Pairs("k", "v")); err != nil {
					return err
				}
				return failing(1, codes.Unavailable)(ctx, n)
			})
			_, err := s.read(2 * time.Second)
			return errors.Join(is(err, codes.OK), s.saw(2), s.took(250*ms, 275*ms))
		}},
		{"09 a RetryInfo is a lower bound", plain(3), func(s *scene) error {
			s.answer = func(_ context.Context, n int) error {
				if n > 1 {
					return nil
				}
				st, err := status.New(codes.Unavailable, "scripted").
					WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(400 * ms)})
				if err != nil {
					return err
				}
				return st.Err()
			}
			_, err := s.read(2 * time.Second)
			return errors.Join(is(err, codes.OK), s.saw(2), s.took(400*ms, 450*ms))
		}},
		{"10 RESOURCE_EXHAUSTED without a hint is not retried", plain(3), func(s *scene) error {
			s.answer = func(context.Context, int) error {
				st, err := status.New(codes.ResourceExhausted, "scripted").WithDetails(&errdetails.QuotaFailure{})
				if err != nil {
					return err
				}
				return st.Err()
			}
			_, err := s.read(2 * time.Second)
			return errors.Join(is(err, codes.ResourceExhausted), s.saw(1))
		}},
		{"12 a pushback beyond the deadline ends the call at once", plain(3), func(s *scene) error {
			s.answer = pushing(5 * time.Second)
			_, err := s.read(time.Second)
			return errors.Join(is(err, codes.Unavailable), s.saw(1), s.took(0, 0))
		}},
	}
	for name, values := range map[string][]string{
		"07 a negative pushback forbids": {"-1"}, "11 a pushback that cannot be read forbids": {"abc"},
		"11 two pushbacks forbid": {"10", "10"},
	} {
		cases = append(cases, Case{name, plain(4), func(s *scene) error {
			var pairs []string
			for _, value := range values {
				pairs = append(pairs, "grpc-retry-pushback-ms", value)
			}
			s.answer = trailing(pairs, always(codes.Unavailable))
			_, err := s.read(2 * time.Second)
			return errors.Join(is(err, codes.Unavailable), s.saw(1), s.took(0, 0))
		}})
	}
	return cases
}

// safetyCases are about what must not happen twice.
func safetyCases() []Case {
	return []Case{
		{"19 what must not be repeated is not", plain(3), func(s *scene) error {
			s.answer = always(codes.Unavailable)
			_, err := s.client.Act(context.Background(), &retrytestv1.ActRequest{})
			return errors.Join(is(err, codes.Unavailable), s.saw(1))
		}},
		{
			"19 not even after a per-attempt timeout",
			Terms{MaxAttempts: 3, Backoff: 50 * ms, MaxBackoff: 400 * ms, PerAttempt: 100 * ms},
			func(s *scene) error {
				s.answer = taking(time.Hour)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_, err := s.client.Act(ctx, &retrytestv1.ActRequest{})
				return errors.Join(is(err, codes.DeadlineExceeded), s.saw(1))
			},
		},
		{
			"35 a status is what the server sent",
			Terms{MaxAttempts: 3, Backoff: 50 * ms, MaxBackoff: 400 * ms, PerAttempt: 100 * ms},
			func(s *scene) error {
				s.answer = always(codes.Canceled)
				_, err := s.read(time.Second)
				return errors.Join(is(err, codes.Canceled), s.saw(1), s.took(0, 0))
			},
		},
	}
}

// loadCases are about what an outage costs.
func loadCases() []Case {
	return []Case{
		{"25 an outage costs hardly more than first attempts, and has its real status", plain(3), func(s *scene) error {
			s.answer = always(codes.Unavailable)
			for range 1000 {
				if _, err := s.read(time.Second); is(err, codes.Unavailable) != nil {
					return is(err, codes.Unavailable)
				}
			}
			if got := len(s.attempts()); got > 1100 {
				return fmt.Errorf("the server saw %d attempts of 1000 calls, want at most a tenth more", got)
			}
			return nil
		}},
		{
			"32 waits are spread out, also at the cap",
			Terms{MaxAttempts: 2, Backoff: 100 * ms, MaxBackoff: 100 * ms},
			func(s *scene) error {
				var quarters [4]int
				for i := range 200 {
					first := 2*i + 1
					s.answer = func(_ context.Context, n int) error {
						if n == first {
							return status.Error(codes.Unavailable, "scripted")
						}
						return nil
					}
					if _, err := s.read(time.Second); err != nil {
						return err
					}
					a := s.attempts()
					if len(a) != first+1 {
						return fmt.Errorf("the server saw %d attempts of %d calls, want two of each", len(a), i+1)
					}
					wait := a[first].at.Sub(a[first-1].at)
					if wait > 100*ms {
						return fmt.Errorf("a wait of %v, want at most 100ms", wait)
					}
					quarters[min(wait/(25*ms), 3)]++
				}
				for i, n := range quarters {
					if n < 20 {
						return fmt.Errorf("%d of 200 waits are in quarter %d of their range: %v", n, i+1, quarters)
					}
				}
				return nil
			},
		},
		{"36 the number of attempts counts the first", plain(4), func(s *scene) error {
			s.answer = always(codes.Unavailable)
			_, err := s.read(10 * time.Second)
			return errors.Join(is(err, codes.Unavailable), s.saw(4))
		}},
		{"36 one attempt is no retry", plain(1), func(s *scene) error {
			s.answer = always(codes.Unavailable)
			_, err := s.read(time.Second)
			return errors.Join(is(err, codes.Unavailable), s.saw(1))
		}},
	}
}

// callerCases are about what the caller and the server are told.
func callerCases() []Case {
	return []Case{
		{"20 a call that never left is sent when there is a connection", plain(4), func(s *scene) error {
			s.answer = failing(0, codes.OK)
			s.down.Store(true)
			time.AfterFunc(10*ms, func() { s.down.Store(false) })
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, err := s.client.Act(ctx, &retrytestv1.ActRequest{}, grpc.WaitForReady(true))
			return errors.Join(is(err, codes.OK), s.saw(1))
		}},
		{"38 attempts tell how many came before", plain(3), func(s *scene) error {
			s.answer = failing(2, codes.Unavailable)
			_, err := s.read(time.Second)
			var told []string
			for _, a := range s.attempts() {
				told = append(told, fmt.Sprint(a.announced))
			}
			if !slices.Equal(told, []string{"[]", "[1]", "[2]"}) {
				return fmt.Errorf("grpc-previous-rpc-attempts were %v, want none, 1, 2", told)
			}
			return is(err, codes.OK)
		}},
		{"39 the caller sees the final attempt only", plain(3), func(s *scene) error {
			s.answer = func(ctx context.Context, n int) error {
				md := metadata.Pairs("n", fmt.Sprint(n))
				if err := errors.Join(grpc.SetHeader(ctx, md), grpc.SetTrailer(ctx, md)); err != nil {
					return err
				}
				return failing(2, codes.Unavailable)(ctx, n)
			}
			var header, trailer metadata.MD
			var from peer.Peer
			finished := 0
			reply, err := s.read(
				time.Second,
				grpc.Header(&header),
				grpc.Trailer(&trailer),
				grpc.Peer(&from),
				grpc.OnFinish(func(error) { finished++ }),
			)
			if h, t := header.Get("n"), trailer.Get("n"); !slices.Equal(h, []string{"3"}) || !slices.Equal(t, []string{"3"}) ||
				from.Addr == nil ||
				reply.GetAttempt() != 3 {
				return fmt.Errorf(
					"the header is of attempt %v, the trailer of %v, the reply of %d, the peer is %v; want all of the third",
					h,
					t,
					reply.GetAttempt(),
					from.Addr,
				)
			}
			if finished != 1 {
				return fmt.Errorf("OnFinish was called %d times, want once", finished)
			}
			return is(err, codes.OK)
		}},
	}
}
