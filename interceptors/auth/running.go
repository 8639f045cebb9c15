package auth

import (
	"context"
	"errors"
	"sync"

	"github.com/parley-rpc/parley/policy"
)

// runningStreams are the streams of a server that its policies let begin, so that a change of the policies reaches them.
type runningStreams struct {
	mu  sync.Mutex
	all map[*runningStream]struct{}
}

// runningStream is one of them, and what was known of the call when it began.
type runningStream struct {
	ctx     context.Context
	call    policy.Call
	refused chan error // gets why the policies would not let it begin any more
}

func (r *runningStreams) begin(ctx context.Context, call policy.Call) *runningStream {
	s := &runningStream{ctx: ctx, call: call, refused: make(chan error, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[*runningStream]struct{}{}
	}
	r.all[s] = struct{}{}
	return s
}

func (r *runningStreams) end(s *runningStream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, s)
}

func (r *runningStreams) list() []*runningStream {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*runningStream, 0, len(r.all))
	for s := range r.all {
		list = append(list, s)
	}
	return list
}

// judgeAnew ends the streams that the policies would not let begin any more. Unary calls keep their decision: they end
// with their deadline, and what their handlers have done cannot be taken back.
func (g *Gate) judgeAnew() {
	for _, s := range g.streams.list() {
		g.judgeStream(s)
	}
}

func (g *Gate) judgeStream(s *runningStream) {
	p, undecided := g.view.Get(s.call.Method)
	if errors.Is(undecided, policy.ErrClosed) { // the gate ends, and no policy has changed
		return
	}
	if err := g.judge(s.ctx, p, undecided, s.call); err != nil {
		select {
		case s.refused <- err:
		default:
		}
	}
}
