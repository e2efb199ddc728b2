package web_test

import (
	"encoding/json"
	"strings"
	"testing"

	"aftershock/schema"
)

// unsure is a crash whose frames are more or less sure.
func unsure(t *testing.T) *schema.ProcessedCrash {
	t.Helper()
	c := stacked(t, "sure", "likely", "doubtful", "guessed", "older", "")
	frames := c.Threads[*c.Crash.CrashingThread].Frames
	for i, f := range []schema.Frame{
		{Trust: "context", Probability: 1},
		{Trust: "frame_pointer", Probability: 0.95, Inlines: []schema.Inline{{Function: "within"}}},
		{Trust: "scan", Probability: 0.83, Doubt: "public"},
		{Trust: "scan", Probability: 0.18, Doubt: "other_function"},
		{Trust: "cfi", Doubt: "a code to come"},
		{Trust: "scan", Probability: 0.744, Doubt: "public"}, // without a name there is none to doubt
	} {
		f.Module, f.Function = frames[i].Module, frames[i].Function
		frames[i] = f
	}
	frames[5].ModuleOffset = "0x0000000000000010"
	return c
}

// A frame says how likely it is true where that is not sure, and a name that may be wrong says
// why, in words: on the page, for a chat, for programs, and for tools of Crash Stats.
func TestFramesSayHowSureTheyAre(t *testing.T) {
	c := unsure(t)
	c.Signature = "sure"
	s, _ := site(t, c)
	_, _, page := get(t, s.URL+"/crash/"+c.CrashID)
	_, section, _ := strings.Cut(page, "<h2>Crashing thread</h2>")
	section, _, _ = strings.Cut(section, "</section>")
	var rows []string
	for row := range strings.SplitSeq(section, "<tr") {
		rows = append(rows, row)
	}
	rows = rows[2:] // what is before, and the head
	for i, want := range []struct{ class, name, doubt, trust string }{
		{"", "sure", "", "context"},
		{"inlined", "within", "", "frame_pointer"},
		{"", "likely", "", "frame_pointer"},
		{"", "~doubtful", "name may be wrong: its symbol begins far below", `scan · 83 %<span class="away"> likely true</span>`},
		{"unlikely", "~guessed", "name may be wrong: another function lies here", `scan · 18 %<span class="away"> likely true</span>`},
		{"", "~older", "name may be wrong: a code to come", "cfi"},
		{"unlikely", `<span class="empty">no name</span> 0x10`, "", `scan · 74 %<span class="away"> likely true</span>`},
	} {
		row, class := rows[i], ""
		if want.class != "" {
			class = ` class="` + want.class + `"`
		}
		name := "<td>" + want.name + "</td>"
		if want.doubt != "" {
			name = "<td>" + want.name + ` <span class="aside">` + want.doubt + "</span></td>"
		}
		if !strings.HasPrefix(row, class+">") || !strings.Contains(row, name) || !strings.Contains(row, "<td>"+want.trust+"</td>") {
			t.Errorf("row %d: <tr%s, want %+v", i, row, want)
		}
	}
	if want := "3 of the names may be wrong, and have ~ before them."; !strings.Contains(page, want) {
		t.Errorf("no %q on the page", want)
	}
	_, _, text := get(t, s.URL+"/crash/"+c.CrashID+".md")
	for _, want := range []string{
		"\n 0  sure  (app)  \n", "\n 2  ~doubtful  (app)    [name may be wrong: its symbol begins far below]  [scan, 83 % true]\n",
		"\n 4  ~older  (app)    [name may be wrong: a code to come]\n", "\n 5  app 0x10  (app)    [scan, 74 % true]\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	_, _, text = get(t, s.URL+"/crash/"+c.CrashID+".json")
	var row struct {
		Doubt       []string  `json:"stack.doubt"`
		Probability []float64 `json:"stack.probability"`
	}
	if err := json.Unmarshal([]byte(text), &row); err != nil || strings.Join(row.Doubt, ",") != ",,,public,other_function,a code to come,public" || row.Probability[1] != 0.95 || row.Probability[4] != 0.18 {
		t.Errorf("%v %+v", err, row)
	}
	_, v := api(t, s.URL+"/api/ProcessedCrash/?crash_id="+c.CrashID)
	frames := v["json_dump"].(map[string]any)["crashing_thread"].(map[string]any)["frames"].([]any)
	first, doubtful, older := frames[0].(map[string]any), frames[2].(map[string]any), frames[4].(map[string]any)
	if _, has := first["doubt"]; has || first["probability"] != 1.0 {
		t.Errorf("sure: %v", first)
	}
	if why, ok := doubtful["doubt"].([]any); !ok || len(why) != 1 || why[0] != "public" || doubtful["probability"] != 0.83 || doubtful["trust"] != "scan" {
		t.Errorf("doubtful: %v", doubtful)
	}
	if _, has := older["probability"]; has {
		t.Errorf("of a release before: %v", older)
	}
}
