package signature

import (
	"errors"
	"fmt"

	"aftershock/internal/pyjson"
)

// ParseDocument reads what a crash is described by: crash data (see ParseCrash),
// the JSON that a stackwalker writes, or a processed crash as Socorro gives it
// away, which has that JSON inside. Of the latter two the stack's own account
// counts, not what was copied out of it.
func ParseDocument(data []byte) (*Crash, error) {
	d := decoder{pyjson.New(string(data))}
	c := &Crash{}
	var walk *Crash // what the stackwalker says
	var err error
	if e := d.Document(func() {
		if d.Peek() != '{' {
			err = errors.New("crash: want a JSON object")
			d.Skip()
			return
		}
		d.Object(func(key string) {
			switch key {
			case "json_dump":
				walk = &Crash{}
				d.members(func(key string) { d.walkMember(walk, key) })
			case "crash_info", "system_info":
				if walk == nil {
					walk = &Crash{}
				}
				d.walkMember(walk, key)
			default:
				d.member(c, key)
			}
		})
	}); e != nil {
		return nil, fmt.Errorf("crash: %w", e)
	}
	if walk != nil {
		if walk.Threads == nil {
			walk.Threads = c.Threads // the stackwalker's own document has them beside
		}
		c.OS, c.Reason, c.CrashingThread, c.Threads, c.BitFlipPercent = walk.OS, walk.Reason, walk.CrashingThread, walk.Threads, walk.BitFlipPercent
		c.unreadable = c.unreadable&^reasonField | walk.unreadable
	}
	return c, err
}

// walkMember reads a member of a stackwalker's document.
func (d *decoder) walkMember(c *Crash, key string) {
	switch key {
	case "threads":
		c.Threads = d.threads()
	case "system_info":
		d.members(func(key string) {
			if key == "os" {
				c.OS = d.compared()
				return
			}
			d.Skip()
		})
	case "crash_info":
		d.members(func(key string) {
			switch key {
			case "type":
				d.set(&c.Reason, c, reasonField)
			case "crashing_thread":
				c.CrashingThread = d.threadIndex()
			case "possible_bit_flips":
				c.BitFlipPercent = d.bitFlips()
			default:
				d.Skip()
			}
		})
	default:
		d.Skip()
	}
}

// members reads an object, and nothing of a value that is none.
func (d *decoder) members(member func(key string)) {
	if d.Peek() != '{' {
		d.Skip()
		return
	}
	d.Object(member)
}

// bitFlips is the confidence of the likeliest flip, in per cent.
func (d *decoder) bitFlips() int32 {
	best := 0.0
	flips, _ := d.Value().([]any)
	for _, flip := range flips {
		if confidence, ok := member(flip, "confidence").(float64); ok && confidence <= 1 {
			best = max(best, confidence)
		}
	}
	return int32(float32(best) * 100)
}
