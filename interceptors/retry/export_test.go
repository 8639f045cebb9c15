package retry

// InUse is how many bytes are kept now, bookkeeping included.
func (m *ReplayMemory) InUse() int64 { return m.used.Load() }
