package trustdir

import "time"

// keeper is the goroutine that keeps a directory fresh. It reads in a goroutine of its own, one at a time, so that a
// file system that hangs cannot keep old keys alive.
type keeper struct {
	quit    chan struct{}
	stopped chan struct{}
}

// Start begins to read the directory, at once and then every 2 seconds, until Close. It does not wait for the first
// reading. Starting twice is harmless.
func (d *Directory) Start() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.owner != nil || d.closed {
		return
	}
	d.owner = &keeper{quit: make(chan struct{}), stopped: make(chan struct{})}
	asked := d.rounds.start()
	go d.keep(d.owner, asked)
}

// Close stops the reading and waits for one that is under way. From then on every key is [ErrUnavailable]. It always
// returns nil; closing twice is harmless.
func (d *Directory) Close() error {
	d.mu.Lock()
	owner := d.owner
	if !d.closed {
		d.closed = true
		d.current.Store(&snapshot{generation: d.current.Load().generation + 1, err: ErrUnavailable, answers: &answers{}})
		if owner != nil {
			close(owner.quit)
		}
	}
	d.mu.Unlock()
	if owner != nil {
		<-owner.stopped
	}
	return nil
}

func (d *Directory) keep(k *keeper, asked <-chan struct{}) {
	defer close(k.stopped)
	defer d.rounds.stop()
	ticker := time.NewTicker(rereadInterval)
	defer ticker.Stop()
	soon := time.NewTimer(rereadGap)
	defer soon.Stop()

	var (
		done      = make(chan struct{})
		reading   bool
		wanted    bool      // a look-up asks for a reading
		began     time.Time // of the latest reading
		heeded    time.Time // when the last reading began that a look-up asked for
		announced uint64
	)
	begin := func() {
		reading, wanted, began = true, false, time.Now()
		d.rounds.begin()
		go func() {
			_ = d.read() // kept in the snapshot
			done <- struct{}{}
		}()
	}
	// consider begins the reading that is wanted, or sees to it that it is considered again when the time has come.
	consider := func() {
		if !wanted || reading {
			return
		}
		if wait := rereadGap - time.Since(heeded); wait > 0 {
			soon.Reset(wait)
			return
		}
		heeded = time.Now()
		begin()
	}
	begin()
	for {
		select {
		case <-k.quit:
			if reading {
				<-done
			}
			return
		case <-ticker.C:
			// Keys age after a reading that fails, and during one that hangs. A clock that was set forward, and a
			// machine that slept, only cause a reading.
			switch {
			case !reading:
				begin()
			case time.Since(began) >= maxHanging:
				_ = d.change(func(s *snapshot) *snapshot { return s.aged(s, d.now()) })
			}
		case <-asked:
			wanted = true
			consider()
		case <-soon.C:
			consider()
		case <-done:
			reading = false
			d.rounds.end()
			consider()
		}
		if g := d.Generation(); g != announced && d.options.OnChange != nil {
			announced = g
			d.options.OnChange(g)
		}
	}
}
