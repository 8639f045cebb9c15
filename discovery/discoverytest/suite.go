package discoverytest

// testCase is one test of the suite.
type testCase struct {
	name  string
	run   func(*lab)
	needs []need
	alone bool // it must not run in parallel with others
}

// need returns the reason why a test does not apply to an engine, or "".
type need func(Harness) string

func (c testCase) pointless(h Harness) string {
	for _, n := range c.needs {
		if why := n(h); why != "" {
			return why
		}
	}
	return ""
}

func lacking(missing bool, why string) string {
	if missing {
		return why
	}
	return ""
}

func announcing(h Harness) string {
	return lacking(h.Set != nil, "the platform registers instances; the driver does not announce them")
}

func outages(h Harness) string { return lacking(h.SetDown == nil, "the engine cannot be down") }

func process(h Harness) string { return lacking(h.Kill == nil, "the engine has no process to kill") }

func frost(h Harness) string { return lacking(h.Freeze == nil, "the engine cannot be frozen") }

func latency(h Harness) string { return lacking(h.Delay == nil, "the engine cannot be slow") }

func leases(h Harness) string {
	return lacking(h.LoseLeases == nil, "the engine has no leases to lose")
}

func deletion(h Harness) string {
	return lacking(h.DeleteEntry == nil, "an entry of the engine cannot be deleted")
}

func history(h Harness) string {
	return lacking(h.LoseHistory == nil, "the engine has no history to lose")
}

// cases is the suite. The first part tests the driver alone, because a Registry would hide mistakes.
var cases = []testCase{
	{name: "RegisterVisible", run: registerVisible},
	{name: "ColdWatchListsNothing", run: coldWatchListsNothing},
	{name: "PrefixIsolation", run: prefixIsolation},
	{name: "Update", run: update},
	{name: "Deregister", run: deregister},
	{name: "LastAnnounceWins", run: lastAnnounceWins, needs: []need{announcing}},
	{name: "LeaseLossReported", run: leaseLossReported, needs: []need{announcing, leases}},
	{name: "HistoryLossReported", run: historyLossReported, needs: []need{history}},
	{name: "OutageReportedNeverEmitted", run: outageReportedNeverEmitted, needs: []need{outages}},
	{name: "FrozenEngineReported", run: frozenEngineReported, needs: []need{frost}},
	{name: "SlowEngineServes", run: slowEngineServes, needs: []need{latency}},
	{name: "ContextEndsCalls", run: contextEndsCalls},
	{name: "CloseEndsEverything", run: closeEndsEverything},
	{name: "CloseLeaksNothing", run: closeLeaksNothing, alone: true},
	{name: "ThousandInstances", run: thousandInstances},

	{name: "LeaseLossReRegisters", run: leaseLossReRegisters, needs: []need{announcing, leases}},
	{name: "DeletedEntryReRegisters", run: deletedEntryReRegisters, needs: []need{announcing, deletion}},
	{name: "WatchResumesAfterOutage", run: watchResumesAfterOutage, needs: []need{outages}},
	{name: "WatchResumesAfterHistoryLoss", run: watchResumesAfterHistoryLoss, needs: []need{history}},
	{name: "WatchResumesAfterKill", run: watchResumesAfterKill, needs: []need{process}},
	{name: "WatchResumesAfterFreeze", run: watchResumesAfterFreeze, needs: []need{frost}},
	{name: "TwoRegistrarsOneID", run: twoRegistrarsOneID, needs: []need{announcing}},
	{name: "HundredClientsReconnect", run: hundredClientsReconnect, needs: []need{outages}},
	{name: "EngineDownAtStart", run: engineDownAtStart, needs: []need{outages}},
	{name: "OutageKeepsLastGood", run: outageKeepsLastGood, needs: []need{outages}},
	{name: "EmptyListHeld", run: emptyListHeld},
	{name: "UpdateStormDebounced", run: updateStormDebounced},
}
