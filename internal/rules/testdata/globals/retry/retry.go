package retry

import (
	"context"
	"fmt"
	stdlog "log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func run(logger *slog.Logger) {
	os.Exit(1)           // want `os.Exit is not used here`
	stdlog.Fatalf("no")  // want `stdlog.Fatalf is not used here`
	signal.Notify(nil)   // want `signal.Notify is not used here`
	slog.SetDefault(nil) // want `slog.SetDefault is not used here`
	slog.Info("no")      // want `slog.Info is not used here`
	logger.Info("yes")
	_ = slog.LevelInfo
	_ = slog.Default()
	fmt.Println("no") // want `fmt.Println is not used here`
	_ = fmt.Sprint("yes")
	_, _ = http.Get("") // want `http.Get is not used here`
	_ = http.Client{}
	time.Sleep(1) // want `time.Sleep is not used here`
	_ = time.NewTimer(1)
	_ = context.TODO() // want `context.TODO is not used here`
	_ = context.Background()
}

var exit = os.Exit // want `os.Exit is not used here`
