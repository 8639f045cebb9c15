package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/parley-rpc/parley/waterfall"
)

// narrator prints the events in plain words.
type narrator struct {
	out  io.Writer
	shop *shop
}

// say prints a paragraph.
func (n *narrator) say(format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintf(n.out, "   %s\n", line)
	}
}

// draw prints the waterfall of the newest call of method, with the replicas' names in place of their addresses.
func (n *narrator) draw(method string) error {
	call, err := n.newest(method)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := waterfall.Text(&text, call); err != nil {
		return err
	}
	fmt.Fprintln(n.out)
	for line := range strings.SplitSeq(strings.TrimRight(text.String(), "\n"), "\n") {
		fmt.Fprintf(n.out, "     %s\n", line)
	}
	fmt.Fprintln(n.out)
	return nil
}

// newest is the newest call of method that has ended.
func (n *narrator) newest(method string) (waterfall.Call, error) {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, call := range n.shop.ring.Calls() {
			if call.Method == method && !call.Open && call.Direction == waterfall.Outgoing {
				return call, nil
			}
		}
	}
	return waterfall.Call{}, fmt.Errorf("no trace of %s", method)
}
