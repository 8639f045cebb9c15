package framework

import (
	"bytes"
	"log/slog"
	"slices"
	"sync"
	"time"

	configv1 "github.com/parley-rpc/parley/gen/parley/config/v1"
	"github.com/parley-rpc/parley/interceptors/auth"
	"github.com/parley-rpc/parley/policy"
)

// glance is the result of one look at a file.
type glance struct {
	data []byte
	err  error
}

func (g glance) equal(other glance) bool {
	if g.err != nil || other.err != nil {
		return g.err != nil && other.err != nil && g.err.Error() == other.err.Error()
	}
	return bytes.Equal(g.data, other.data)
}

// watched is a content that is read again while the App runs, and what of it is in force.
type watched struct {
	mu    sync.Mutex
	data  []byte // the content that is in force
	state contentState
}

// contentState is the state of a content: the one that is in force, and the reason why a newer one is not.
type contentState struct {
	generation int       // the number of contents that have been in force, including the content at the start
	since      time.Time // when the content took effect
	failure    error     // why the present content is not in force, or nil
	failing    time.Time // since when
	pending    time.Time // since when the content has changes that take effect at the next start, or zero
}

// adopt records that data is in force. Pending reports whether a part of it takes effect at the next start.
func (w *watched) adopt(data []byte, pending bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.data = data
	state := contentState{generation: w.state.generation + 1, since: time.Now()}
	if pending {
		if state.pending = w.state.pending; state.pending.IsZero() {
			state.pending = state.since
		}
	}
	w.state = state
}

// keep records why the present content is not in force. A nil error means that it is in force again. It reports whether
// the state has changed.
func (w *watched) keep(err error) (news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.state.failure
	w.state.failure = err
	switch {
	case err == nil:
		w.state.failing = time.Time{}
		return was != nil
	case was == nil:
		w.state.failing = time.Now()
		return true
	}
	return was.Error() != err.Error()
}

func (w *watched) current() contentState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// isInForce reports whether a content is the one in force.
func (w *watched) isInForce(data []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Equal(data, w.data)
}

// reloader decides when a new content takes effect. Its stricter policies do at the first look. The rest does when two
// looks in a row have seen the content, so that a file that is being written neither loosens a policy for a moment nor
// ends streams.
type reloader struct {
	table   *policy.Table
	users   *auth.Users // nil where no content states rules about users
	logger  *slog.Logger
	watches []*contentWatch
}

// contentWatch is one content that is looked at.
type contentWatch struct {
	watched    *watched
	what, name string
	glance     func() glance
	parse      func(glance) (*parsed, error)
	users      func() []auth.UserRule // the rules about users of the content in force; nil for one that states none
	reload     func(*parsed) error
	seen       glance  // the result of the last look
	parsed     *parsed // what the last look has made of it, or nil
	judged     glance  // the last content that was accepted or refused
	narrowing  *parsed // a content that only one look has seen
}

// statement is the path of a value of the configuration and the place that states it.
type statement struct{ path, place string }

// reading is the result of reading the configuration file and the environment.
type reading struct {
	config *configv1.Config   // never nil
	layer  policy.Layer       // the policies of the file
	stated func() []statement // there are many, and few ask for them
	keyed  bool               // whether the file has the key policies, even without a policy
}

// parsed is a content with which a program would start.
type parsed struct {
	data   []byte
	layers []policy.Layer
	users  []auth.UserRule // of a policy source
	notes  []policy.Note   // of a policy source
	read   reading         // of the configuration file
	beyond bool            // other sections than the policies have changed
}

func (r *reloader) add(w *contentWatch) {
	w.seen = glance{data: w.watched.data}
	w.judged = w.seen
	r.watches = append(r.watches, w)
}

// lookAround looks at every content once.
func (r *reloader) lookAround() {
	for _, w := range r.watches {
		r.look(w, w.glance())
	}
}

func (r *reloader) look(w *contentWatch, now glance) {
	settled := now.equal(w.seen)
	if w.seen = now; !settled {
		w.parsed = nil
	}
	if now.err == nil && w.watched.isInForce(now.data) {
		w.judged = now
		if w.narrowing != nil && !settled {
			return
		}
		r.widen(w)
		if w.watched.keep(nil) {
			r.logger.Info("the content of "+w.what+" is in force again", slog.String("file", w.name))
		}
		return
	}
	if now.equal(w.judged) {
		return
	}
	if !settled {
		r.narrow(w, now)
		return
	}
	w.judged = now
	err := w.take(now)
	if err == nil {
		w.narrowing = nil
		r.narrowAgain()
		return
	}
	if w.watched.keep(err) {
		state := w.watched.current()
		r.logger.Error(w.what+" is bad; the previous content stays in force",
			slog.String("file", w.name), slog.Any("error", err),
			slog.Int("generation", state.generation), slog.Time("since", state.since))
	}
}

// take puts a content in force that two looks have seen.
func (w *contentWatch) take(now glance) error {
	content := w.parsed
	w.parsed = nil
	if content == nil {
		var err error
		if content, err = w.parse(now); err != nil {
			return err
		}
	}
	return w.reload(content)
}

// narrow tightens the policies with a content that one look has seen, if a program would start with it. Mistakes in it,
// and contradictions with the policies in force, are handled at the next look.
func (r *reloader) narrow(w *contentWatch, now glance) {
	content, err := w.parse(now)
	if err != nil {
		return
	}
	w.parsed = content
	before := w.narrowing
	w.narrowing = content
	if r.table.Narrow(r.narrowing()...) != nil {
		w.narrowing = before
		return
	}
	r.limitUsers()
	r.logger.Info(w.what+" has changed; what it tightens is in force, and the rest will be when "+
		"another look has seen the same", slog.String("file", w.name))
}

// narrowing are the layers of all contents that only one look has seen.
func (r *reloader) narrowing() []policy.Layer {
	var layers []policy.Layer
	for _, w := range r.watches {
		if w.narrowing != nil {
			layers = slices.Concat(layers, w.narrowing.layers)
		}
	}
	return layers
}

// limitUsers lets no rule about users count that a content which only one look has seen does not state any more.
func (r *reloader) limitUsers() {
	if r.users == nil {
		return
	}
	var limit []auth.UserRule
	limited := false
	for _, w := range r.watches {
		switch {
		case w.users == nil:
		case w.narrowing != nil:
			limit, limited = append(limit, w.narrowing.users...), true
		default:
			limit = append(limit, w.users()...)
		}
	}
	if limited {
		r.users.Limit(limit...)
	} else {
		r.users.Lift()
	}
}

// widen reverts narrow.
func (r *reloader) widen(w *contentWatch) {
	if w.narrowing == nil {
		return
	}
	before := w.narrowing
	w.narrowing = nil
	if err := r.table.Narrow(r.narrowing()...); err != nil {
		w.narrowing = before
		r.logger.Error("the policies stay as tight as the last content", slog.String("file", w.name), slog.Any("error", err))
	}
	r.limitUsers()
}

// narrowAgain lets the other contents go on tightening after a reload, which has taken that back.
func (r *reloader) narrowAgain() {
	if layers := r.narrowing(); len(layers) > 0 {
		if err := r.table.Narrow(layers...); err != nil {
			r.logger.Error("a policy source tightens nothing until the next look", slog.Any("error", err))
		}
	}
	r.limitUsers()
}
