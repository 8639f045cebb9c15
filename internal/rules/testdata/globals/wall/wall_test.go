package wall_test

import (
	"log"
	"os"
	"testing"
	"time"
)

func TestWall(t *testing.T) {
	time.Sleep(time.Second) // want `time.Sleep is not used here`
	os.Exit(1)              // want `os.Exit is not used here`
}

func TestMain(m *testing.M) { os.Exit(m.Run()) }

func Example() { log.Fatal("an example stands for a program") }
