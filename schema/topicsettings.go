package schema

import (
	"slices"
	"strconv"
	"strings"
)

// Deviation says what it means that a topic's setting is not the table's.
type Deviation struct {
	// Loses: crashes can be lost, doubled or kept apart from their results; not
	// merely kept shorter, or longer than they need be.
	Loses bool
	// Stops: no role may start, for the harm is done at once.
	Stops bool
	// Want is the table's value in words.
	Want string
	Why  string
}

// Deviates compares a setting of the table with the value that a cluster has,
// and returns what the difference means; false when the value will do. More
// than the table asks for will do: longer retention, larger messages.
func (t Topic) Deviates(setting, is string) (d Deviation, deviates bool) {
	want := t.Settings[setting]
	switch setting {
	case "retention.ms":
		if forever(is) || !forever(want) && number(is) >= number(want) {
			return d, false
		}
		d = Deviation{Want: want + " or more", Why: "records go before their time"}
		switch t.Name {
		case TopicRaw: // the crashes themselves: nothing can make them again
			d.Loses, d.Why = true, "crashes would be deleted before their time, and nothing can make them again"
		case TopicVersions:
			d.Loses, d.Want, d.Why = true, "-1", "the only truth about the signature versions would expire"
		}
		return d, true
	case "max.message.bytes":
		// Clients fill batches up to their own limit, which is the table's.
		return Deviation{
			Loses: true, Stops: true, Want: want + " or more", Why: "batches that a client may send would be refused",
		}, number(is) < number(want)
	case "cleanup.policy":
		return t.policyDeviates(is)
	case "message.timestamp.type":
		d = Deviation{Loses: true, Want: want, Why: "results of old crashes would expire when a replay writes them"}
		if t.Name == TopicRaw {
			d.Stops, d.Why = true, "the offset for a time would be wrong: a replay would begin at the wrong crash"
		}
		return d, is != want
	}
	return Deviation{Want: want, Why: "it was made with this value"}, is != want
}

// policyDeviates: compaction where the table has none deletes what has the key of
// something newer: of two raw records of one crash id it would keep the wrong one.
func (t Topic) policyDeviates(is string) (Deviation, bool) {
	want := policies(t.Settings["cleanup.policy"])
	have := policies(is)
	switch {
	case slices.Equal(have, want):
		return Deviation{}, false
	case slices.Contains(have, "compact") && !slices.Contains(want, "compact"):
		return Deviation{
			// Records of the versions log have no key: a compacted topic refuses them.
			Loses: true, Stops: t.Name == TopicRaw || t.Name == TopicVersions,
			Want: t.Settings["cleanup.policy"], Why: "compaction deletes records that nothing replaces",
		}, true
	case forever(t.Settings["retention.ms"]):
		return Deviation{}, false // delete nothing, or delete nothing after no time
	}
	return Deviation{Want: t.Settings["cleanup.policy"], Why: "old records stay, or superseded ones do"}, true
}

func policies(list string) []string {
	parts := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(parts)
	return parts
}

func forever(ms string) bool { return number(ms) == -1 }

// number of a setting; what is none counts as less than any.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1 << 63
	}
	return n
}
