package generate

import "strings"

// Names of functions by number: different numbers have different names.

var (
	spaces   = strings.Fields("layout image network storage media graphics canvas script cache style window accessibility print search session widget frame gesture archive audio video socket worker plugin")
	nouns    = strings.Fields("Apple Branch Crate Root Blossom Ladder Basket Harvest Seed Trunk Leaf Orchard Cider Barrel Graft Hedge")
	suffixes = strings.Fields("Tree List Cache Pool Queue Parser Stream Table")
	verbs    = strings.Fields("Acquire Advance Align Append Attach Balance Bind Build Collect Commit Compare Compose Convert Decode Detach Dispatch Drain Draw Emit Encode Evict Expand Fetch Fill Find Flush Fold Gather Grow Handle Hash Import Index Insert Invalidate Iterate Join Layout Link Load Lock Lookup Map Mark Measure Merge Notify Observe Paint Parse Patch Peek Pick Place Poll Prune Publish Push Query Read Rebuild Record Reflow Refresh Register Release Remove Render Replace Reset Resize Resolve Restore Rotate Scan Schedule Select Shift Sort Split")
)

// coprime with the number of names, so that neighbours have little in common.
const coprime = 7919

// named are the parts of a function's name.
type named struct{ space, noun, suffix, verb string }

func nameOf(n int) named {
	n = n * coprime % (len(spaces) * len(nouns) * len(suffixes) * len(verbs))
	var p named
	p.space, n = spaces[n%len(spaces)], n/len(spaces)
	p.verb, n = verbs[n%len(verbs)], n/len(verbs)
	p.noun, n = nouns[n%len(nouns)], n/len(nouns)
	p.suffix = suffixes[n]
	return p
}

// cpp is the function as symbols of C++ have it.
func (p named) cpp() string {
	return "orchard::" + p.space + "::" + p.noun + p.suffix + "::" + p.verb + "(orchard::" + p.noun + " const&)"
}

func (p named) cppFile() string { return "/build/orchard/" + p.space + "/" + p.noun + p.suffix + ".cc" }

// rust is the function as symbols of Rust have it.
func (p named) rust() string {
	return "tidepool::" + p.space + "::" + strings.ToLower(p.noun) + "_" + strings.ToLower(p.suffix) + "::" + strings.ToLower(p.verb)
}

func (p named) rustFile() string {
	return "/build/tidepool/" + p.space + "/" + strings.ToLower(p.noun) + "_" + strings.ToLower(p.suffix) + ".rs"
}

// javaClass is the class as a JVM has it.
func (p named) javaClass() string { return "app.orchard.mobile." + p.space + "." + p.noun + p.suffix }

// javaFrame is the method as a JVM prints it.
func (p named) javaFrame(line string) string {
	return "at " + p.javaClass() + "." + strings.ToLower(p.verb) + "(" + p.noun + p.suffix + ".kt:" + line + ")"
}
