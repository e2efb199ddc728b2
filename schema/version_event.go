package schema

import "time"

// Operations on the versions log.
const (
	OpAnnounce = "announce"
)

// States of a signature version.
const (
	// StateLive versions are processed to the live end of the raw topic.
	StateLive = "live"
	// StateEnded versions are processed up to their end offsets.
	StateEnded = "ended"
	// StateDropped versions have no topic and no rows any more.
	StateDropped = "dropped"
)

// VersionEvent is one operation on the signature versions with the complete
// state after it (avsc/version_event.v1.avsc): the newest event of
// crash.versions alone is the truth.
type VersionEvent struct {
	Operation  string             `avro:"operation"`
	Subject    int32              `avro:"subject"`
	Who        string             `avro:"who"`
	At         time.Time          `avro:"at"`
	Why        string             `avro:"why"`
	Versions   []SignatureVersion `avro:"versions"`
	Activation Activation         `avro:"activation"`
}

// SignatureVersion names {ruleset, process version, annotation registry}; its
// number never changes its meaning.
type SignatureVersion struct {
	Number         int32             `avro:"number"`
	ProcessVersion int32             `avro:"process_version"`
	RulesetHash    string            `avro:"ruleset_hash"`
	RegistryHash   string            `avro:"registry_hash"`
	Ruleset        []RulesetFile     `avro:"ruleset"`
	State          string            `avro:"state"`
	From           *time.Time        `avro:"from"`
	Ends           []PartitionOffset `avro:"ends"`
}

// RulesetFile is one file of a ruleset.
type RulesetFile struct {
	Name string `avro:"name"`
	Text string `avro:"text"`
}

// PartitionOffset is an offset of one partition of the raw topic.
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
}

// The ends of time that an activation can name: what a ClickHouse DateTime64
// holds with room to spare.
var (
	TimeBegin = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	TimeEnd   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Version returns the signature version with that number, or nil.
func (e *VersionEvent) Version(number int32) *SignatureVersion {
	for i := range e.Versions {
		if e.Versions[i].Number == number {
			return &e.Versions[i]
		}
	}
	return nil
}

// Names tells whether any range of the activation shows that version.
func (a Activation) Names(number int32) bool {
	for _, r := range a.Ranges {
		if r.SignatureVersion == number {
			return true
		}
	}
	return false
}

// Seen is the version that the activation shows for a received_at, 0 for none.
func (a Activation) Seen(at time.Time) int32 {
	for _, r := range a.Ranges {
		if !at.Before(r.From) && at.Before(r.To) {
			return r.SignatureVersion
		}
	}
	return 0
}
