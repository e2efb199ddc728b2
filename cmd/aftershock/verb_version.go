package main

import (
	"encoding/json"
	"io"
	"runtime/debug"
	"slices"
	"text/tabwriter"

	"aftershock/processor"
	"aftershock/schema"
	"aftershock/signature"
)

// version is set by make build, from git; without it the build's own record tells.
var version string

// versionVerb says which program this is, and what it ships with.
type versionVerb struct {
	JSON bool `help:"Print one JSON object." name:"json"`
}

// Run prints it.
func (v *versionVerb) Run(r *run) error { return release().write(r.stdout, v.JSON) }

// releaseInfo is what a build is made of. ProcessVersion, Ruleset and Registry are the
// three parts of the signature versions that it begins.
type releaseInfo struct {
	Version        string          `json:"version"`
	Commit         string          `json:"commit,omitempty"`
	Modified       bool            `json:"modified,omitempty"`
	Go             string          `json:"go"`
	ProcessVersion int32           `json:"process_version"`
	Ruleset        string          `json:"ruleset"`
	Registry       string          `json:"registry"`
	Schemas        []releaseSchema `json:"schemas"`
}

// releaseSchema is the newest schema of an event.
type releaseSchema struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
}

// short is what everybody may know of it, a JSON object.
func (i *releaseInfo) short() ([]byte, error) {
	return json.Marshal(struct {
		Version string `json:"version"`
		Commit  string `json:"commit"`
	}{i.Version, i.Commit})
}

func release() *releaseInfo {
	out := &releaseInfo{
		Version: version, ProcessVersion: processor.Version,
		Ruleset: signature.Default().Hash(), Registry: schema.DefaultRegistry.Hash(), Schemas: newestSchemas(schema.Schemas()),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		out.Go = info.GoVersion
		if out.Version == "" {
			out.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				out.Commit = s.Value
			case "vcs.modified":
				out.Modified = s.Value == "true"
			}
		}
	}
	return out
}

// newestSchemas keeps the newest of each subject, in the order of their names.
func newestSchemas(all []schema.Released) []releaseSchema {
	newest := map[string]releaseSchema{}
	var subjects []string
	for _, s := range all {
		old, has := newest[s.Subject]
		if !has {
			subjects = append(subjects, s.Subject)
		}
		if s.Version > old.Version {
			newest[s.Subject] = releaseSchema{s.Subject, s.Version, s.ID}
		}
	}
	slices.Sort(subjects)
	out := make([]releaseSchema, len(subjects))
	for i, subject := range subjects {
		out[i] = newest[subject]
	}
	return out
}

func (i *releaseInfo) write(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(i)
	}
	say(w, "aftershock %s", i.Version)
	if i.Commit != "" {
		say(w, " (%.12s", i.Commit)
		if i.Modified {
			say(w, " and changes")
		}
		say(w, ")")
	}
	say(w, ", %s\n\n", i.Go)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	say(out, "process version\t%d\n", i.ProcessVersion)
	say(out, "ruleset\t%.12s\n", i.Ruleset)
	say(out, "annotation registry\t%.12s\n", i.Registry)
	for _, s := range i.Schemas {
		say(out, "%s\tversion %d, id %d\n", s.Subject, s.Version, s.ID)
	}
	return out.Flush()
}
