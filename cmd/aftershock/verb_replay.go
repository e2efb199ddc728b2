package main

// replayVerbs make a new signature version beside the one that is seen.
type replayVerbs struct {
	Plan     replayPlanVerb     `cmd:"" help:"Try a ruleset on a sample of processed crashes: what would move, and what a replay would take. Nothing is written."`
	Start    replayStartVerb    `cmd:"" help:"Begin a new signature version beside the one that is seen."`
	Status   replayStatusVerb   `cmd:"" help:"Say how far every signature version is."`
	Pause    replayPauseVerb    `cmd:"" help:"Let a replay wait."`
	Resume   replayResumeVerb   `cmd:"" help:"Let it go on."`
	Set      replaySetVerb      `cmd:"" help:"Set which share of the workers a replay may have."`
	Diff     replayDiffVerb     `cmd:"" help:"Say what became of the signatures of crashes from one version to another, or from a revision to the next."`
	Lineage  replayLineageVerb  `cmd:"" help:"Follow a signature through all promotions: what it came from, what it became, and when it was first seen."`
	Promote  replayPromoteVerb  `cmd:"" help:"Show a signature version instead of what is seen now. Killed in between, the same command goes on."`
	Rollback replayRollbackVerb `cmd:"" help:"Show again what was seen before the last promotion."`
	Archive  replayArchiveVerb  `cmd:"" help:"Take the loops of a version away that is seen of the past alone; its rows stay, and what comes late is still made. Promotions do it by themselves."`
	Retire   replayRetireVerb   `cmd:"" help:"Stop a signature version that is not seen of crashes that come now; its rows stay."`
	Drop     replayDropVerb     `cmd:"" help:"Remove everything of a signature version that is not seen."`
}
