package main

import "testing"

// A short run shows that every stack works; its figures mean nothing.
func TestEveryStackAnswers(t *testing.T) {
	if err := run(t.Context(), "", 50, 4, 1); err != nil {
		t.Fatal(err)
	}
}
