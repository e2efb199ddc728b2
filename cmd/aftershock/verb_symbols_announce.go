package main

import (
	"fmt"
	"strings"

	"aftershock/schema"
	"aftershock/stream"
)

// symbolsAnnounceVerb says that symbol files have come by other means than an upload.
type symbolsAnnounceVerb struct {
	kafkaFlags
	Keys []string `arg:"" name:"key" help:"<debug file>/<debug id>, as in the store: what follows another slash is left out."`
}

// Run appends to crash.symbols.
func (v *symbolsAnnounceVerb) Run(r *run) error {
	events := make([]schema.SymbolsEvent, len(v.Keys))
	for i, key := range v.Keys {
		parts := strings.Split(key, "/")
		if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || len(parts[1]) < 33 || strings.Trim(parts[1], "0123456789abcdefABCDEF") != "" {
			return &usageError{fmt.Sprintf("symbols announce: %q: want <debug file>/<debug id>, the id of 33 or more hexadecimal digits", key)}
		}
		events[i] = schema.SymbolsEvent{DebugFile: parts[0], DebugID: parts[1], Reason: schema.SymbolsAnnounce}
	}
	kafka, err := v.kafka(r.log)
	if err != nil {
		return err
	}
	if err := stream.Announce(r.ctx, kafka, events); err != nil {
		return err
	}
	say(r.stdout, "%d modules announced: crashes that lack their symbols are made again; aftershock symbols healed tells which\n", len(events))
	return nil
}
