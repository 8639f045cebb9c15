package admin

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"
)

// runtimeSection returns the section about the process itself.
func runtimeSection(started time.Time) Section {
	return Section{Title: "Process", Columns: []string{"", ""}, Rows: func() []Row {
		facts := [][2]string{
			{"up", time.Since(started).Round(time.Second).String()},
			{"process", strconv.Itoa(os.Getpid())},
		}
		if build, ok := debug.ReadBuildInfo(); ok {
			facts = append(facts, [2]string{"program", build.Main.Path + " " + build.Main.Version},
				[2]string{"built with", build.GoVersion})
		}
		facts = append(facts,
			[2]string{"processors", strconv.Itoa(runtime.GOMAXPROCS(0))},
			[2]string{"goroutines", strconv.FormatUint(measured("/sched/goroutines:goroutines"), 10)},
			[2]string{"heap in use", megabytes(measured("/memory/classes/heap/objects:bytes"))},
			[2]string{"memory from the system", megabytes(measured("/memory/classes/total:bytes"))},
			[2]string{"garbage collections", strconv.FormatUint(measured("/gc/cycles/total:gc-cycles"), 10)},
		)
		rows := make([]Row, len(facts))
		for i := range facts {
			rows[i].Cells = facts[i][:]
		}
		return rows
	}}
}

func measured(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
