package schema

import (
	"slices"
	"time"
)

// Operations on the versions log.
const (
	OpAnnounce = "announce"
	OpStart    = "start"   // a version begins: a replay
	OpPause    = "pause"   // its replay waits
	OpResume   = "resume"  // and goes on
	OpSet      = "set"     // its share changes
	OpHold     = "hold"    // the activation is about to change: what it shows now waits
	OpPromote  = "promote" // the activation has changed
	OpAbort    = "abort"   // it does not change after all
	OpReopen   = "reopen"  // a version that had stopped goes on from its ends
	OpRetire   = "retire"  // a version has stopped
	OpHalt     = "halt"    // a version stops, to be retired or reopened
	OpDrop     = "drop"    // everything of it is being removed
	OpDropped  = "dropped" // and is gone
	OpArchive  = "archive" // a version that is seen has no loops of its own any more
	OpArchived = "archived"
	OpRepair   = "repair" // groups go on behind records that are gone
)

// States of a signature version.
const (
	// StateLive versions are processed to the live end of the raw topic.
	StateLive = "live"
	// StateHeld versions are not processed while the activation changes.
	StateHeld = "held"
	// StateNarrowed versions are processed for crashes that the activation shows in
	// them alone: such a crash can come late.
	StateNarrowed = "narrowed"
	// StateArchived versions are seen for a past range and made no more: they cost
	// nothing. Crashes that come late into their range are made on request, by one loop
	// for all of them; StateArchiving ones are about to be.
	StateArchived  = "archived"
	StateArchiving = "archiving"
	// StateEnded versions are not processed; their rows stay.
	StateEnded = "ended"
	// StateDropping versions are written by nobody, and are being removed.
	StateDropping = "dropping"
	// StateDropped versions have no topic and no rows any more.
	StateDropped = "dropped"
)

// Sources of a signature version.
const (
	SourceRaw       = "raw"
	SourceProcessed = "processed"
)

// VersionEvent is one operation on the signature versions with the complete
// state after it (avsc/version_event.v2.avsc): the newest event of
// crash.versions alone is the truth.
type VersionEvent struct {
	Operation  string             `avro:"operation"`
	Subject    int32              `avro:"subject"`
	Who        string             `avro:"who"`
	At         time.Time          `avro:"at"`
	Why        string             `avro:"why"`
	Versions   []SignatureVersion `avro:"versions"`
	Activation Activation         `avro:"activation"`
	// Promotion is the change of the activation that is under way, or nil.
	Promotion *Promotion `avro:"promotion"`
}

// SignatureVersion names {ruleset, process version, annotation registry}; its
// number never changes its meaning.
type SignatureVersion struct {
	Number         int32  `avro:"number"`
	ProcessVersion int32  `avro:"process_version"`
	RulesetHash    string `avro:"ruleset_hash"`
	RegistryHash   string `avro:"registry_hash"`
	// Ruleset is the text in events of older releases, and of a version that begins. Newer
	// events have it in crash.rulesets.
	Ruleset []RulesetFile `avro:"ruleset"`
	State   string        `avro:"state"`
	// From and To bound the received_at of the crashes that it is made for, half
	// open; nil is no bound.
	From *time.Time `avro:"from"`
	To   *time.Time `avro:"to"`
	// Ends are the raw offsets before which all of its range had been processed
	// when it stopped, and RequestEnds those of the reprocess requests that it had
	// answered; none while it is live.
	Ends        []PartitionOffset `avro:"ends"`
	RequestEnds []PartitionOffset `avro:"request_ends"`
	// Source is what it was made from: raw crashes alone, or also its Base.
	Source string `avro:"source"`
	// Share is that of each process's workers for crashes that the activation
	// shows in another version. While Paused they wait.
	Share  float64 `avro:"share"`
	Paused bool    `avro:"paused"`
	// Begins are the raw offsets at which it began; none: at the first.
	Begins []PartitionOffset `avro:"begins"`
	// Base is the version whose processed crashes before BaseEnds are signed
	// again; those hold the answers to requests before BaseRequests. 0 for none.
	Base         int32             `avro:"base"`
	BaseEnds     []PartitionOffset `avro:"base_ends"`
	BaseRequests []PartitionOffset `avro:"base_requests"`
}

// RulesetEvent is the text of a ruleset or of an annotation registry
// (avsc/ruleset.v1.avsc), keyed by its hash.
type RulesetEvent struct {
	Hash  string        `avro:"hash"`
	Files []RulesetFile `avro:"files"`
}

// RulesetFile is one file of a ruleset.
type RulesetFile struct {
	Name string `avro:"name"`
	Text string `avro:"text"`
}

// PartitionOffset is an offset of one partition of a topic.
type PartitionOffset struct {
	Partition int32 `avro:"partition"`
	Offset    int64 `avro:"offset"`
}

// Activation says which signature version is seen for which received_at.
// Ranges are disjoint and ascending; it is changed only as a whole, with a
// higher Epoch.
type Activation struct {
	Epoch  int64         `avro:"epoch"`
	Ranges []ActiveRange `avro:"ranges"`
}

// ActiveRange is a half-open range of received_at: From <= t < To.
type ActiveRange struct {
	From             time.Time `avro:"from"`
	To               time.Time `avro:"to"`
	SignatureVersion int32     `avro:"signature_version"`
	// Epoch is that of the activation since which this range, or a larger one that
	// it was part of, shows this version.
	Epoch int64 `avro:"epoch"`
}

// Promotion is a change of the activation that is under way.
type Promotion struct {
	// Ranges are what is to be seen.
	Ranges []ActiveRange `avro:"ranges"`
	// Held are the versions that wait for it.
	Held []HeldVersion `avro:"held"`
}

// HeldVersion is a version that waits, and the state that it had.
type HeldVersion struct {
	Number int32  `avro:"number"`
	State  string `avro:"state"`
}

// The ends of time that an activation can name: what a ClickHouse DateTime64
// holds with room to spare.
var (
	TimeBegin = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	TimeEnd   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Clone is a copy that can be changed without changing e. What a version never
// changes is shared.
func (e *VersionEvent) Clone() *VersionEvent {
	c := *e
	c.Versions = slices.Clone(e.Versions)
	c.Activation.Ranges = slices.Clone(e.Activation.Ranges)
	if e.Promotion != nil {
		c.Promotion = &Promotion{slices.Clone(e.Promotion.Ranges), slices.Clone(e.Promotion.Held)}
	}
	return &c
}

// Version returns the signature version with that number, or nil. It points into
// e.
func (e *VersionEvent) Version(number int32) *SignatureVersion {
	for i := range e.Versions {
		if e.Versions[i].Number == number {
			return &e.Versions[i]
		}
	}
	return nil
}

// Processes tells whether a crash received then is to be processed in that
// version.
func (e *VersionEvent) Processes(number int32, received time.Time) bool {
	v := e.Version(number)
	switch {
	case v == nil:
		return false
	case v.State == StateLive:
		return v.Covers(received)
	case v.State == StateNarrowed, v.State == StateArchiving, v.State == StateArchived:
		return e.Activation.Seen(received) == number
	}
	return false
}

// Covers tells whether the version is made for a crash received then.
func (v *SignatureVersion) Covers(received time.Time) bool {
	return (v.From == nil || !received.Before(*v.From)) && (v.To == nil || received.Before(*v.To))
}

// Archived stands for all archived versions, where a topic, a group or a loop is theirs.
const Archived int32 = 0

// Kept tells whether anything may still be made of the version, or is on its way: its
// results are stored and published.
func (v *SignatureVersion) Kept() bool {
	return v.Processed() || v.State == StateHeld || v.State == StateArchiving
}

// Processed tells whether crashes are processed in the version, by loops of its own.
func (v *SignatureVersion) Processed() bool {
	return v.State == StateLive || v.State == StateNarrowed
}

// BaseGone tells whether a version is made of one that is dropped, or about to be. That was
// allowed when all of it was made, and nobody can ask the base's topic any more.
func (e *VersionEvent) BaseGone(v *SignatureVersion) bool {
	base := e.Version(v.Base)
	return base != nil && base.Gone()
}

// Gone tells whether the version's topic and rows are removed, or about to be.
func (v *SignatureVersion) Gone() bool {
	return v.State == StateDropping || v.State == StateDropped
}

// Names tells whether any range of the activation shows that version.
func (a Activation) Names(number int32) bool {
	return slices.ContainsFunc(a.Ranges, func(r ActiveRange) bool { return r.SignatureVersion == number })
}

// TelemetryGroups are the groups that publish what is seen of a version: one an epoch of
// its ranges.
func (a Activation) TelemetryGroups(number int32) (groups []string) {
	for _, r := range a.Ranges {
		if group := TelemetryGroup(number, r.Epoch); r.SignatureVersion == number && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}

// Range returns the range that holds a received_at, or nil. It points into a.
func (a Activation) Range(at time.Time) *ActiveRange {
	i, _ := slices.BinarySearchFunc(a.Ranges, at, func(r ActiveRange, at time.Time) int {
		if at.Before(r.To) {
			return 1
		}
		return -1
	})
	if i == len(a.Ranges) || at.Before(a.Ranges[i].From) {
		return nil
	}
	return &a.Ranges[i]
}

// Seen is the version that the activation shows for a received_at, 0 for none.
func (a Activation) Seen(at time.Time) int32 {
	if r := a.Range(at); r != nil {
		return r.SignatureVersion
	}
	return 0
}
