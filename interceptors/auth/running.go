package auth

import (
	"context"
	"sync"

	"github.com/parley-rpc/parley/policy"
)

// runningStreams are the streams of a server that its policies let begin, so that a change of the policies reaches
// them.
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
