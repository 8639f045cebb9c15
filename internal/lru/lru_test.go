package lru_test

import (
	"testing"

	"github.com/parley-rpc/parley/internal/lru"
)

// What was not used for longest makes room, by number and by size.
func TestRoom(t *testing.T) {
	l := lru.NewSized[string, int](3, 100)
	for n, step := range []struct {
		put  string
		size int
		want string // the keys that are there afterwards
	}{
		{"a", 40, "a"},
		{"b", 40, "ab"},
		{"c", 20, "abc"},
		{"d", 0, "bcd"},  // by number
		{"e", 50, "cde"}, // by number, and 70 in all
		{"f", 60, "f"},   // by size: 50 of e, and then nothing fits but f
		{"f", 10, "f"},   // in its own place, smaller
		{"g", 90, "fg"},
		{"h", 101, "fg"}, // is larger than all the room
		{"g", 101, "f"},  // so that what was there before is gone
		{"i", 90, "fi"},
		{"j", 90, "j"},
	} {
		l.PutSized(step.put, n, step.size)
		there := ""
		for _, key := range "abcdefghij" {
			if l.Has(string(key)) {
				there += string(key)
			}
		}
		if there != step.want || l.Len() != len(step.want) {
			t.Errorf("step %d, %s: %q are there (%d), want %q", n+1, step.put, there, l.Len(), step.want)
		}
	}
	l.Clear()
	if l.PutSized("a", 1, 100); !l.Has("a") {
		t.Error("a cleared cache has no room")
	}
	l.Remove("a")
	if l.PutSized("b", 1, 100); !l.Has("b") {
		t.Error("what was removed takes room")
	}
	plain := lru.New[string, int](2)
	plain.PutSized("a", 1, 1<<40)
	if plain.Put("b", 2); !plain.Has("a") {
		t.Error("a cache without a limit bounds sizes")
	}
}
