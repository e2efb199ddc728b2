package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"aftershock/blob"
	"aftershock/schema"
	"aftershock/stream"
)

// getVerb reads one raw crash back.
type getVerb struct {
	kafkaFlags
	CrashID  string `arg:"" help:"Crash id, with bp- in front of it or without."`
	Dump     string `help:"Write the main dump's original bytes there, checked against its digest, and nothing else; - is stdout." placeholder:"FILE|-"`
	DumpName string `help:"The dump that --dump writes." default:"upload_file_minidump"`
	Blob     string `help:"Blob store, for a dump that does not travel in its event: a directory, or s3://bucket/prefix?endpoint=URL&region=R." placeholder:"DIR|URL"`
	Values   bool   `help:"Show what annotations hold. It is private."`
	JSON     bool   `help:"The same facts as JSON." name:"json"`
}

// Run describes the crash, or writes a dump of it.
func (v *getVerb) Run(r *run) error {
	id, err := crashIDArg(v.CrashID)
	if err != nil {
		return err
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	rec, err := stream.FindRaw(r.ctx, kafka, id)
	if err != nil {
		return err
	}
	raw, err := schema.Decode[schema.RawCrash](rec.Value)
	if err != nil {
		return fmt.Errorf("%s partition %d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	if v.Dump != "" {
		return v.writeDump(r, raw)
	}
	facts := factsOf(raw, positionOf(rec), v.Values)
	if v.JSON {
		return json.NewEncoder(r.stdout).Encode(facts)
	}
	return printText(r.stdout, facts.text(v.Values))
}

// writeDump writes the original bytes, which only the user may read.
func (v *getVerb) writeDump(r *run, raw *schema.RawCrash) error {
	var names []string
	for i := range raw.Dumps {
		d := &raw.Dumps[i]
		if d.Name != v.DumpName {
			names = append(names, plain(d.Name))
			continue
		}
		data, err := v.dump(r, d)
		if err != nil {
			return fmt.Errorf("dump %s of %s: %w", plain(d.Name), raw.CrashID, err)
		}
		if v.Dump == "-" {
			_, err = r.stdout.Write(data)
			return err
		}
		return os.WriteFile(v.Dump, data, 0o600)
	}
	if len(names) == 0 {
		return fmt.Errorf("crash %s has no dump", raw.CrashID)
	}
	return fmt.Errorf("crash %s has no dump %s: --dump-name %s", raw.CrashID, plain(v.DumpName), strings.Join(names, ", or "))
}

func (v *getVerb) dump(r *run, d *schema.Dump) ([]byte, error) {
	var store blob.Store
	if d.Blob != nil {
		if v.Blob == "" {
			return nil, errors.New("it lies in the blob store: name it with --blob")
		}
		if err := storeExists(v.Blob); err != nil {
			return nil, err
		}
		backend, err := openBlobs(r.ctx, v.Blob)
		if err != nil {
			return nil, err
		}
		store = backend
	}
	return stream.FetchDump(r.ctx, store, d)
}
