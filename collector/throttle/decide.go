package throttle

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"cel.dev/cel-go/common/types"

	"aftershock/schema"
)

// Report is what rules see of one. Its annotations are those that its client sent, also
// those that are never stored.
type Report struct {
	Kind        string // schema.KindPing, or that of a report
	Annotations map[string]string
	Dump        Dump
	// CrashID is the one that the report will have; what is sampled is sampled by its
	// random part, its first schema.CrashIDDigit characters.
	CrashID  string
	Received time.Time
}

// Dump is what rules see of the main dump, or of a ping's stack.
type Dump struct {
	Present bool
	Size    int64  // in bytes, inflated
	Kind    string // KindMinidump, KindStack, KindOther, or "" when there is none
}

// Kinds of a dump.
const (
	KindMinidump = "minidump"
	KindStack    = "stack" // of a ping
	KindOther    = "other"
)

// Decision is what rules make of a report.
type Decision struct {
	Rule   string
	Result Result
	// Rate is the share of such reports that get this result: the product of the
	// percentages that the report has passed, as a fraction. 1/Rate is its weight.
	Rate float64
	// Failed are rules whose condition could not be told: they do not hold.
	Failed []string
}

// Decide asks the rules in their order. It is safe for concurrent use.
func (r *Rules) Decide(rep Report) Decision { return r.Explain(rep, nil) }

// Explain is Decide that tells of every rule that holds, with what it made of the report;
// told may be nil.
func (r *Rules) Explain(rep Report, told func(rule string, result Result)) Decision {
	d := Decision{Rate: 1}
	see := newSeen(rep)
	rules := r.of(rep.Kind)
	for i := range rules {
		rule := &rules[i]
		holds, err := rule.of(see)
		if err != nil {
			d.Failed = append(d.Failed, rule.Name)
		}
		if !holds {
			continue
		}
		d.Rule, d.Result = rule.Name, rule.Result
		if rule.Percent != nil {
			share := *rule.Percent / 100
			if drawn(rule.Name, rep.CrashID) >= share {
				d.Result, share = rule.Else, 1-share
			}
			d.Rate *= share
		}
		if told != nil {
			told(d.Rule, d.Result)
		}
		if d.Result != Continue {
			break
		}
	}
	return d
}

// Share is the share of reports like this one that came to be accepted by a rule, when only
// its name is known: the product of what the report must have passed. It returns false when
// the report could not have come to that rule.
func (r *Rules) Share(rep Report, rule string) (float64, bool) {
	share := 1.0
	see := newSeen(rep)
	rules := r.of(rep.Kind)
	for i := range rules {
		at := &rules[i]
		if holds, err := at.of(see); err != nil || !holds {
			continue
		}
		part := 1.0
		if at.Percent != nil {
			part = *at.Percent / 100
		}
		switch {
		case at.Name == rule && at.Result == Accept:
			return share * part, true
		case at.Name == rule && at.Else == Accept:
			return share * (1 - part), true
		case at.Name == rule:
			return 0, false
		case at.Result == Continue:
			share *= part
		case at.Else == Continue:
			share *= 1 - part
		default:
			return 0, false // it would have decided
		}
	}
	return 0, false
}

// of tells whether the rule holds of a report.
func (r *rule) of(see *seen) (bool, error) {
	if r.holds == nil {
		return true, nil
	}
	v, _, err := r.holds.Eval(see)
	if err != nil {
		return false, err
	}
	is, ok := v.(types.Bool)
	if !ok {
		return false, errNoBool
	}
	return bool(is), nil
}

var errNoBool = errors.New("a condition is neither true nor false")

// drawn is a number in [0, 1) made of a crash id. Each rule has draws of its own, or who
// has passed one percentage would pass the next one as well.
func drawn(rule, crashID string) float64 {
	sum := sha256.Sum256([]byte(rule + "\x00" + crashID[:min(len(crashID), schema.CrashIDDigit)]))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}
