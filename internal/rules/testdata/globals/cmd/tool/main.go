package main

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background())
	defer stop()
	time.Sleep(time.Second)
	fmt.Println(ctx)
	log.Fatal("the end")
}
