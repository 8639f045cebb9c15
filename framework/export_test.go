package framework

import (
	"time"

	"google.golang.org/grpc"

	"github.com/parley-rpc/parley/admin"
)

// BudgetRows is what the admin page shows of the retry budgets.
func (a *App) BudgetRows() []admin.Row { return a.budgetRows() }

// ClientRows is what the admin page shows of the clients.
func (a *App) ClientRows() []admin.Row { return a.clientRows() }

// ConfigRows is what the admin page shows of the configuration file.
func (a *App) ConfigRows() []admin.Row { return a.parts.contentRows() }

// AdminHandler is the admin surface of a running App.
func (a *App) AdminHandler() *admin.Handler { return a.adminHandler(&run{app: a}) }

// StreamWorkers is how many goroutines a server keeps for calls.
const StreamWorkers = streamWorkers

// LimitsOf returns how many calls a running server takes at once on a connection, and how many bytes of metadata it
// reads of one.
func LimitsOf(s *Server) (calls, metadata uint32) {
	options, err := fieldsOf(s.grpc, "opts")
	if err != nil {
		return 0, 0
	}
	return boundOf(options["maxConcurrentStreams"]), boundOf(options["maxHeaderListSize"])
}

// ConnectionAgeOf is how long the connections of a server live.
func ConnectionAgeOf(s *Server) time.Duration {
	server := grpc.NewServer(s.keepaliveOptions()...)
	defer server.Stop()
	options, err := fieldsOf(server, "opts")
	if err != nil {
		return 0
	}
	return durationOf(options["keepaliveParams"], "MaxConnectionAge")
}

// Looks ends the looks of a running App at its files, and returns a function that does one.
func (a *App) Looks() func() {
	a.parts.stopReload()
	a.parts.reload.Wait()
	return a.parts.reloader.lookAround
}

// Generation counts the contents of the configuration file that have been in force.
func (a *App) Generation() int { return a.parts.file.current().generation }
