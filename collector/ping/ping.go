// Package ping reads the JSON of crash pings: what Firefox's clients send where telemetry
// is on, as Glean pings or as legacy telemetry pings, or as a pipeline hands them on
// (docs/pings.md). A ping becomes annotations, in the words of crash reports, and a stack.
package ping

import (
	"regexp"
	"strings"

	"aftershock/internal/pyjson"
	"aftershock/schema"
)

// Ping is what was read of one. The zero value is ready.
type Ping struct {
	// ID is the ping's own id, in small letters; "" when it has none that is a UUID.
	ID string
	// Stack is the JSON of its stack, "" for none.
	Stack string
	// Notes are codes of what was dropped.
	Notes []string

	annotations []annotation
	legacy      bool // it is a telemetry ping, which has a version of its own
}

// annotation is a member of the ping by its name in reports.
type annotation struct {
	name, value string
	top         bool // of the ping's object itself
}

// MemberStack is the member that holds the stack.
const MemberStack = "stack_traces"

// names are what members are called in crash reports. What is not here, and no object or
// list, keeps its name.
var names = map[string]string{
	"moz_crash_reason":            "MozCrashReason",
	"oom_size":                    "OOMAllocationSize",
	"async_shutdown_timeout":      "AsyncShutdownTimeout",
	"hang":                        "Hang",
	"js_large_allocation_failure": "JSLargeAllocationFailure",
	"java_exception":              "JavaException",
	"ipc_channel_error":           "ipc_channel_error",
	"product":                     "ProductName",
	"version":                     "Version",
	"channel":                     "ReleaseChannel",
	"build_id":                    "BuildID",
	"process_type":                "ProcessType",
	"utility_actors_name":         "UtilityActorsName",
}

// application is what a legacy ping says of the program.
var application = map[string]string{"name": "ProductName", "version": "Version", "channel": "ReleaseChannel", "buildId": "BuildID"}

// clients identify who sent the ping, or hold what does, in whichever spelling: they are
// never kept.
var clients = map[string]bool{"clientid": true, "clientinfo": true, "gleanclientid": true, "telemetryclientid": true, "profilegroupid": true, "environment": true}

// separators stand between the words of a name, in some spellings.
var separators = strings.NewReplacer("_", "", "-", "", ".", "")

// ofClient tells whether a member is one of them.
func ofClient(name string) bool {
	return clients[strings.ToLower(separators.Replace(name))]
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// Member takes a member of the ping's object: a string as it is, null as nothing, all else
// as its JSON text.
func (p *Ping) Member(name, value string) {
	switch {
	case value == "":
	case name == "document_id", name == "id" && p.ID == "":
		if id := strings.ToLower(value); uuid.MatchString(id) {
			p.ID = id
		}
	case name == MemberStack:
		p.stack(value)
	case name == "payload":
		p.legacy = true
		p.object(value, p.payload)
	case name == "application":
		p.legacy = true
		p.object(value, p.application)
	case ofClient(name):
		p.note(schema.NoteNeverStoreRemoved)
	case name == "utility_actors_name" && value[0] == '[':
		p.keep(names[name], strings.Join(texts(value), ","))
	case names[name] != "":
		p.annotations = append(p.annotations, annotation{names[name], value, true})
	case value[0] == '{' || value[0] == '[':
		p.note(schema.NotePingMember)
	default:
		p.keep(name, value)
	}
}

// keep keeps an annotation.
func (p *Ping) keep(name, value string) {
	p.annotations = append(p.annotations, annotation{name: name, value: value})
}

// stack keeps the stack; of several the last one.
func (p *Ping) stack(text string) {
	if p.Stack != "" {
		p.note(schema.NoteAnnotationTwice)
	}
	p.Stack = text
}

// texts are those of a JSON list.
func texts(list string) (out []string) {
	r := pyjson.New(list)
	r.Document(func() { //nolint:errcheck,gosec // it was JSON before
		r.Array(func() {
			if r.Peek() == '"' {
				out = append(out, r.Text())
				return
			}
			r.Skip()
		})
	})
	return out
}

// Annotations hands out the annotations in the order of the ping.
func (p *Ping) Annotations(each func(name, value string) error) error {
	for _, a := range p.annotations {
		if p.legacy && a.top && a.name == names["version"] {
			continue // that of the ping's form
		}
		if err := each(a.name, a.value); err != nil {
			return err
		}
	}
	return nil
}

func (p *Ping) note(code string) { p.Notes = append(p.Notes, code) }

// maxMembers of an object inside a ping are read.
const maxMembers = 1000

// object reads the members of an object inside the ping.
func (p *Ping) object(text string, member func(name, value string)) {
	r := pyjson.New(text)
	n := 0
	err := r.Document(func() {
		if r.Peek() != '{' {
			p.note(schema.NotePingMember)
			r.Skip()
			return
		}
		r.Object(func(name string) {
			value := r.Raw()
			if n++; n > maxMembers || value == "" {
				return
			}
			if value[0] == '"' {
				inner := pyjson.New(value)
				value = inner.Text()
			}
			if value != "null" {
				member(name, value)
			}
		})
	})
	if err != nil || n > maxMembers {
		p.note(schema.NotePingMember)
	}
}

// payload takes what a legacy ping tells of the crash. Its metadata are the annotations
// of a report.
func (p *Ping) payload(name, value string) {
	switch name {
	case "stackTraces":
		p.stack(value)
	case "metadata":
		p.object(value, p.metadata)
	case "processType":
		p.keep(names["process_type"], value)
	}
}

func (p *Ping) metadata(name, value string) {
	if ofClient(name) {
		p.note(schema.NoteNeverStoreRemoved)
		return
	}
	p.keep(name, value)
}

func (p *Ping) application(name, value string) {
	if as := application[name]; as != "" {
		p.keep(as, value)
	}
}
