package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/bugs"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// renamed stores that a promotion gave the crashes of a signature to another one.
func renamed(t *testing.T, db *clickhouse.DB, epoch int64, old, name string) {
	t.Helper()
	b, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO aftershock.signature_lineage (epoch, batch, from_version, to_version, old_signature, new_signature, crashes, majority, first_seen, complete)")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][]any{{old, name, uint64(9), uint8(1), now, uint8(0)}, {"", "", uint64(0), uint8(0), time.Unix(0, 0), uint8(1)}} {
		if err := b.Append(append([]any{uint64(epoch), uint64(1), uint32(1), uint32(2)}, row...)...); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Send(); err != nil {
		t.Fatal(err)
	}
	a := seen(1)
	a.Epoch = epoch
	if err := db.Activate(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// Bugs follow a signature through promotions, marked with the name that they were filed for, and
// are not those of the names that came later.
func TestBugsFollowASignature(t *testing.T) {
	s, db := site(t, generated(t, 20)...)
	if _, err := db.LoadBugs(t.Context(), []clickhouse.Bug{{Signature: "first", Bug: "1", State: "open", Summary: "of the first"}, {Signature: "second", Bug: "2", Summary: "of the second"}, {Signature: "third", Bug: "3"}, {Signature: "other", Bug: "4"}}, false, now); err != nil {
		t.Fatal(err)
	}
	renamed(t, db, 2, "first", "second")
	renamed(t, db, 3, "second", "third")
	inherited := func(signature string) (found []string) {
		_, _, body := get(t, s.URL+"/signature.json?signature="+signature)
		var twin struct {
			Sections []struct {
				Question string
				Rows     []map[string]string
			}
		}
		if err := json.Unmarshal([]byte(body), &twin); err != nil {
			t.Fatal(err)
		}
		for _, of := range twin.Sections {
			for _, row := range of.Rows {
				if of.Question == "bugs" || of.Question == "inherited-bugs" {
					found = append(found, row["bug"]+" "+row["old_signature"])
				}
			}
		}
		return found
	}
	for signature, want := range map[string]string{"first": "1 ", "second": "2 ,1 first", "third": "3 ,2 second,1 first", "other": "4 "} {
		if got := strings.Join(inherited(signature), ","); got != want {
			t.Errorf("%s: %q, want %q", signature, got, want)
		}
	}
	_, _, page := get(t, s.URL+"/signature?signature=third")
	for _, want := range []string{"Bugs of what it was called", "of the first", `<a href="/signature?signature=first">first</a>`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in %.4000s", want, page)
		}
	}
}

// The API follows promotions as the page does: whoever asks for a signature finds the bugs of what its
// crashes were called under that signature, and whoever asks for a bug the signature of today.
func TestTheAPIFollowsASignature(t *testing.T) {
	s, db := site(t, generated(t, 20)...)
	if _, err := db.LoadBugs(t.Context(), []clickhouse.Bug{{Signature: "first", Bug: "1"}, {Signature: "second", Bug: "2"}, {Signature: "third", Bug: "2"}, {Signature: "other", Bug: "4"}, {Signature: "back", Bug: "5"}}, false, now); err != nil {
		t.Fatal(err)
	}
	renamed(t, db, 2, "first", "second")
	renamed(t, db, 3, "second", "third")
	renamed(t, db, 4, "back", "forth")
	renamed(t, db, 5, "forth", "back")
	renamed(t, db, 6, "late", "first") // after first had become second
	for at, want := range map[string]string{
		"Bugs/?signatures=first":                   "1 first",
		"Bugs/?signatures=second":                  "1 first,1 second,2 second,2 third",
		"Bugs/?signatures=third&signatures=other":  "1 first,1 third,2 second,2 third,4 other",
		"Bugs/?signatures=back":                    "5 back",
		"Bugs/?signatures=forth":                   "5 back,5 forth",
		"Bugs/?signatures=late":                    "",
		"SignaturesByBugs/?bug_ids=1":              "1 first,1 second,1 third",
		"SignaturesByBugs/?bug_ids=2&bug_ids=none": "2 second,2 third",
	} {
		status, v := api(t, s.URL+"/api/"+at)
		var found []string
		for _, hit := range v["hits"].([]any) {
			found = append(found, fmt.Sprint(hit.(map[string]any)["id"], " ", hit.(map[string]any)["signature"]))
		}
		if got := strings.Join(found, ","); status != http.StatusOK || got != want {
			t.Errorf("%s: %d %q, want %q", at, status, got, want)
		}
	}
	for _, of := range []string{"Bugs/?signatures=third", "SignaturesByBugs/?bug_ids=1"} {
		name, _, _ := strings.Cut(strings.SplitN(of, "?", 2)[1], "=")
		for n, want := range map[int]int{ask.MaxLookups - 1: http.StatusOK, ask.MaxLookups: http.StatusBadRequest} { // beside the first
			if status, v := api(t, s.URL+"/api/"+of+strings.Repeat("&"+name+"=x", n)); status != want {
				t.Errorf("%s and %d more: %d %v", of, n, status, v)
			}
		}
	}
}

// pushed sends a list of bugs with a token.
func pushed(t *testing.T, h *house, token, query, list string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, h.URL+"/api/BugsImport/"+query, strings.NewReader(list))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/csv")
	if token != "" {
		r.Header.Set("Auth-Token", token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// tokenOf is one of jane's with a role.
func tokenOf(t *testing.T, h *house, role access.Role) string {
	t.Helper()
	a := h.browser(t).login("jane").post("/me/tokens", url.Values{"note": {"x"}, "days": {"1"}, "roles": {string(role)}})
	_, rest, _ := strings.Cut(a.body, "<code>aftershock_")
	secret, _, ok := strings.Cut(rest, "</code>")
	if !ok {
		t.Fatalf("%+v", a)
	}
	return "aftershock_" + secret
}

// Bugs come in by whoever has the role, all of a list or none, and it is kept who loaded them.
func TestBugsArePushed(t *testing.T) {
	_, db := site(t, generated(t, 5)...)
	h := newHouse(t, db)
	loader := tokenOf(t, h, access.Bugs)
	const list = "signature,bug,state\nOOM | small,1,open\nOOM | large,2,fixed\n"
	for name, token := range map[string]string{"nobody": "", "an operator": tokenOf(t, h, access.Operator)} {
		if a := pushed(t, h, token, "", list); a.status != http.StatusForbidden {
			t.Errorf("%s: %+v", name, a)
		}
	}
	have := func() string {
		all, err := db.Bugs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range all {
			names = append(names, b.Bug+" "+b.Signature+" "+b.State)
		}
		return strings.Join(names, ", ")
	}
	if got := have(); got != "" {
		t.Fatalf("loaded by who may not: %s", got)
	}
	h.ledger.told()
	if a := pushed(t, h, loader, "", list); a.status != 200 || a.body != `{"loaded":2,"removed":0}` {
		t.Errorf("%+v", a)
	}
	if told := strings.Join(h.ledger.told(), ", "); told != schema.AuditBugs+" jane" {
		t.Error(told)
	}
	if got := have(); got != "1 OOM | small open, 2 OOM | large fixed" {
		t.Error(got)
	}
	if a := pushed(t, h, loader, "?replace=1", "bug,signature\n3,new\n"); a.status != 200 || a.body != `{"loaded":1,"removed":2}` || have() != "3 new " {
		t.Errorf("%+v, %s", a, have())
	}
	for query, text := range map[string]string{"": "signature\nx\n", "?replace=2": list, "?replace=1": "signature,bug\n", "?x=1": list} {
		if a := pushed(t, h, loader, query, text); a.status != http.StatusBadRequest || have() != "3 new " {
			t.Errorf("%s: %+v, %s", query, a, have())
		}
	}
	h.ledger.set(true)
	if a := pushed(t, h, loader, "", list); a.status != http.StatusServiceUnavailable || have() != "3 new " {
		t.Errorf("without the audit: %+v, %s", a, have())
	}
}

// A list that is pushed has as many bytes and bugs as it may, and not one more.
func TestLimitsOfPushedBugs(t *testing.T) {
	_, db := site(t, generated(t, 5)...)
	h := newHouse(t, db)
	loader := tokenOf(t, h, access.Bugs)
	const head = "signature,bug,x\n"
	sized := func(bytes int) string {
		row := "a,1," + strings.Repeat("x", 1<<20-5) + "\n"
		text := head + strings.Repeat(row, (bytes-len(head))/len(row))
		return text + "b,2," + strings.Repeat("x", bytes-len(text)-5) + "\n"
	}
	counted := func(n int) string { return head + strings.Repeat("a,1,\n", n) }
	for name, at := range map[string][2]string{"bytes": {sized(bugs.MaxPushed.Bytes), sized(bugs.MaxPushed.Bytes + 1)}, "bugs": {counted(bugs.MaxPushed.Bugs), counted(bugs.MaxPushed.Bugs + 1)}} {
		if a := pushed(t, h, loader, "", at[0]); a.status != 200 {
			t.Errorf("%s: at the limit: %+v", name, a)
		}
		if a := pushed(t, h, loader, "", at[1]); a.status != http.StatusBadRequest || !strings.Contains(a.body, fmt.Sprintf("more than %d %s", map[string]int{"bytes": bugs.MaxPushed.Bytes, "bugs": bugs.MaxPushed.Bugs}[name], name)) {
			t.Errorf("%s: beyond the limit: %+v", name, a)
		}
	}
}
