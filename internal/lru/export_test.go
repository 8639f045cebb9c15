package lru

// Has reports whether a value is there, which does not count as its use.
func (l *Cache[K, V]) Has(key K) bool { return l.entries[key] != nil }
