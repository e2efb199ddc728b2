package collector

import (
	"strings"

	"aftershock/collector/ping"
	"aftershock/schema"
)

// readPing reads a crash ping: one JSON object. Its stack is kept as a dump is, its other
// members are annotations.
func readPing(b *body, limits Limits) (*report, error) {
	rep := newReport(schema.KindPing, limits)
	var sent ping.Ping
	err := rep.addObject(b, func(name, value string) bool {
		sent.Member(name, value)
		return false
	}, func(name string) bool { return name == ping.MemberStack })
	if err != nil {
		return nil, structure(err)
	}
	if err := b.drain(); err != nil {
		return nil, err
	}
	if b.extra() {
		rep.note(schema.NoteBodyExtra)
	}
	if err := sent.Annotations(rep.annotate); err != nil {
		return nil, err
	}
	for _, code := range sent.Notes {
		rep.note(code)
	}
	if rep.pingID = sent.ID; sent.ID == "" {
		rep.note(schema.NotePingID)
	}
	if sent.Stack == "" {
		if len(rep.annotations) == 0 {
			return nil, refuse(schema.RejectNothing, nil)
		}
		return rep, nil
	}
	d, err := pack(schema.PingStack, strings.NewReader(sent.Stack))
	if err != nil {
		return nil, err
	}
	rep.dumps = append(rep.dumps, d)
	return rep, nil
}
