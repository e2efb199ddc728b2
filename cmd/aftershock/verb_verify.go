package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/stream"
)

// verifyVerb proves that nothing is lost and nothing is counted twice.
type verifyVerb struct {
	kafkaFlags
	Version       int32  `help:"Signature version; without it every one that is live, one after the other."`
	From          moment `help:"Crashes received since then; without it all that crash.raw has. A time, or how long ago." placeholder:"TIME"`
	To            moment `help:"Crashes received before then; without it all that are processed." placeholder:"TIME"`
	ClickhouseURL string `help:"ClickHouse's HTTP interface, http://[user:password@]host:port. Without it the tables are not looked at." name:"clickhouse-url" placeholder:"URL"`
	Repair        bool   `help:"Ask for what is missing to be processed again: exit code 0 says that all of it was asked for, and to verify again says whether it has come."`
	MaxLag        int64  `help:"Fail when the version, or a sink, is more records behind than that; -1 for any lag." default:"-1" placeholder:"N"`
	JSON          bool   `help:"One JSON object a partition." name:"json"`
}

// errNotWhole: verify has found what must not be.
var errNotWhole = errors.New("not whole")

// Run looks at one partition after the other.
func (v *verifyVerb) Run(r *run) error {
	if !v.From.IsZero() && !v.To.IsZero() && !v.From.Before(v.To.Time) {
		return &usageError{"--from: want a time before --to"}
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	state, err := stream.NewestVersions(r.ctx, kafka)
	if err != nil {
		return err
	}
	versions, err := v.versions(state)
	if err != nil {
		return err
	}
	var db *clickhouse.DB
	if v.ClickhouseURL != "" {
		if db, err = r.tables(v.ClickhouseURL); err != nil {
			return err
		}
		defer db.Close() //nolint:errcheck // nothing is left in it
	}
	if v.Repair && !liveVersions(state)[versions[0].Number] {
		return &usageError{fmt.Sprintf("--repair: signature version %d is not live: nobody would process what is asked for", versions[0].Number)}
	}
	if db != nil {
		if err := db.Shows(r.ctx, state.Activation); err != nil {
			return fmt.Errorf("%w: %w (the ClickHouse sink projects it; is it running?)", errNotWhole, err)
		}
	}
	left := stream.MaxRequests
	for _, version := range versions {
		verifier := &stream.Verifier{
			Kafka: kafka, Version: version.Number, From: v.From.Time, To: v.To.Time, Activation: state.Activation, Wants: wanted(state, &version),
		}
		if !version.Kept() {
			verifier.Ended = version.Ends
		}
		if version.From != nil && verifier.From.Before(*version.From) {
			verifier.From = *version.From
		}
		if db != nil {
			verifier.Sink, verifier.Tables = clickhouse.Name, db.Tables(version.Number)
		}
		if problem := v.verify(r, verifier, &left); problem != nil {
			err = errors.Join(err, problem)
		}
	}
	return err
}

// versions are those to look at.
func (v *verifyVerb) versions(state *schema.VersionEvent) ([]schema.SignatureVersion, error) {
	if state == nil {
		return nil, errors.New("crash.versions is empty: no signature version was announced")
	}
	var out []schema.SignatureVersion
	for _, version := range state.Versions {
		if version.Number == v.Version || v.Version == 0 && version.Processed() {
			out = append(out, version)
		}
	}
	switch {
	case len(out) > 0:
		return out, nil
	case v.Version == 0:
		return nil, errors.New("no signature version is live: name one with --version")
	}
	return nil, &usageError{fmt.Sprintf("--version: there is no signature version %d", v.Version)}
}

// wanted are the raw records that a version is made for: when it was narrowed, those
// before its ends, and then what is seen in it.
func wanted(state *schema.VersionEvent, v *schema.SignatureVersion) func(int32, int64, time.Time) bool {
	ends := map[int32]int64{}
	for _, e := range v.Ends {
		ends[e.Partition] = e.Offset
	}
	return func(partition int32, offset int64, received time.Time) bool {
		if v.State != schema.StateNarrowed || offset < ends[partition] {
			return v.Covers(received)
		}
		return state.Processes(v.Number, received)
	}
}

// verify looks at one version. left is how many requests may still be made.
func (v *verifyVerb) verify(r *run, verifier *stream.Verifier, left *int) error {
	var raw, looked, holes, asked, lag int64
	mendable := true
	err := verifier.Run(r.ctx, func(found *stream.Verified) error {
		raw += found.Raw
		looked += found.End - found.From
		lag = max(lag, found.MostLag())
		holes += found.Holes()
		mendable = mendable && found.Mendable()
		if err := v.print(r.stdout, verifier.Version, found); err != nil || !v.Repair {
			return err
		}
		n, err := verifier.Repair(r.ctx, found, *left)
		*left -= n
		asked += int64(n)
		return err
	})
	switch {
	case err != nil:
		return err
	case looked == 0 && lag > 0:
		return fmt.Errorf("signature version %d: %w: nothing was looked at: group %s is %d records behind, and has come to none of those", verifier.Version, errNotWhole, schema.ProcessGroup(verifier.Version), lag)
	case looked == 0:
		return fmt.Errorf("signature version %d: %w: nothing was looked at: %s has no record of that time", verifier.Version, errNotWhole, schema.TopicRaw)
	case v.MaxLag >= 0 && lag > v.MaxLag:
		return fmt.Errorf("signature version %d: %w: %d records behind, more than --max-lag %d", verifier.Version, errNotWhole, lag, v.MaxLag)
	case holes == 0 && mendable:
		tables := "and the tables"
		if v.ClickhouseURL == "" {
			tables = "the tables were not (--clickhouse-url)"
		}
		v.say(r.stdout, "signature version %d is whole: %d raw records were looked at, %s\n", verifier.Version, raw, tables)
		return nil
	case !mendable:
		return fmt.Errorf("signature version %d: %w: what is there twice, surplus, strange or unseen is not taken away by processing again; %d raw records lack something, %d were asked for again",
			verifier.Version, errNotWhole, holes, asked)
	case !v.Repair:
		return fmt.Errorf("signature version %d: %w: %d of %d raw records lack something; --repair asks for them to be processed again", verifier.Version, errNotWhole, holes, raw)
	case asked < holes:
		return fmt.Errorf("signature version %d: %w: %d of %d raw records that lack something were asked for again, no more than %d at a time; run it again when they are processed",
			verifier.Version, errNotWhole, asked, holes, stream.MaxRequests)
	}
	v.say(r.stdout, "signature version %d: asked for %d raw records to be processed again; verify again when that is done\n", verifier.Version, asked)
	return nil
}

func (v *verifyVerb) say(w io.Writer, format string, args ...any) {
	if !v.JSON {
		say(w, format, args...)
	}
}

// print writes a partition for people, or for programs.
func (v *verifyVerb) print(w io.Writer, version int32, f *stream.Verified) error {
	if v.JSON {
		return json.NewEncoder(w).Encode(struct {
			SignatureVersion int32 `json:"signature_version"`
			*stream.Verified
			Whole bool `json:"whole"`
		}{version, f, f.Whole()})
	}
	_, err := fmt.Fprintf(w, "v%d partition %d: raw offsets from %d to %d, %d behind: %d raw, %d processed, %d dead, %d duplicates; missing %s; twice %s\n",
		version, f.Partition, f.From, f.End, f.Lag, f.Raw, f.Processed, f.Dead, f.Duplicates, f.Missing, f.Twice)
	if err == nil && f.Expired > 0 {
		where := "they are looked for in the tables alone"
		if v.ClickhouseURL == "" {
			where = "give --clickhouse-url to look for them"
		}
		_, err = fmt.Fprintf(w, "  %d whose processed records may have expired: %s\n", f.Expired, where)
	}
	if err == nil && f.Deferred > 0 {
		_, err = fmt.Fprintf(w, "  %d that the door's rules deferred and nobody has asked for (aftershock reprocess)\n", f.Deferred)
	}
	if err == nil && f.Unwanted > 0 {
		_, err = fmt.Fprintf(w, "  %d that this version is not made for\n", f.Unwanted)
	}
	if err == nil && f.Strange > 0 {
		_, err = fmt.Fprintf(w, "  %d processed records that are not of this partition's raw crashes\n", f.Strange)
	}
	for _, t := range f.Tables {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %s, %d behind: %d wanted; missing %s; surplus %s; twice %s; unseen %s\n", t.Name, t.Lag, t.Want, t.Missing, t.Surplus, t.Twice, t.Unseen)
		}
	}
	return err
}
