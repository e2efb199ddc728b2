package collector_test

import (
	"fmt"
	"strings"
	"testing"

	"aftershock/collector"
	"aftershock/collector/throttle"
	"aftershock/schema"
)

func rules(t *testing.T, text string) func() *throttle.Rules {
	t.Helper()
	r, err := throttle.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return func() *throttle.Rules { return r }
}

func TestRulesDecideWhatIsKept(t *testing.T) {
	d := open(t, collector.Options{InlineMax: 0, Rules: rules(t, `
rules:
- {name: kept, when: 'annotation.X == "a" && dump.kind == "minidump" && dump.size == 4 && dump.present', result: accept}
- {name: later, when: annotation.X == "d", result: defer}
- {name: none, when: annotation.X == "r", result: reject}
- {name: seems, when: annotation.X == "f", result: fake-accept}
- {name: secret, when: 'annotation.Email == "jane@example.org"', percent: 100, result: accept, else: reject}
- {name: other, when: '!dump.present && dump.kind == ""', result: accept}
- {name: odd, when: 'dump.kind == "other"', result: accept}
- {name: rest, result: reject}`)})
	for _, tc := range []struct {
		fields       []string
		digit        string // "" for none
		rule, result string // of what is stored
	}{
		{[]string{"X", "a", "@upload_file_minidump", "MDMP"}, "0", "kept", "accept"},
		{[]string{"X", "a", "@upload_file_minidump", "MDMPx"}, "", "rest", ""},
		{[]string{"X", "d"}, "1", "later", "defer"},
		{[]string{"X", "r"}, "", "none", ""},
		{[]string{"X", "f"}, "3", "", ""},
		{[]string{"Email", "jane@example.org", "@upload_file_minidump", "MDMP2"}, "0", "secret", "accept"},
		{[]string{"X", "b"}, "0", "other", "accept"},
		{[]string{"X", "b", "@other", "MDMP"}, "0", "other", "accept"},
		{[]string{"X", "b", "@upload_file_minidump", "MDM"}, "0", "odd", "accept"},
	} {
		before := len(d.raw)
		body, kind := form(t, tc.fields...)
		status, text := d.post(t, body, kind, "", false)
		switch {
		case status != 200:
			t.Errorf("%q: %d %q", tc.fields, status, text)
		case tc.digit == "" && text != "Discarded=rule_"+tc.rule:
			t.Errorf("%q: %q", tc.fields, text)
		case tc.digit != "" && !strings.HasSuffix(text, tc.digit+"261122\n"):
			t.Errorf("%q: %q, want the digit %s", tc.fields, text, tc.digit)
		case tc.result == "" && len(d.raw) != before:
			t.Errorf("%q is stored", tc.fields)
		case tc.result != "":
			if len(d.raw) != before+1 {
				t.Fatalf("%q is not stored", tc.fields)
			}
			raw := d.raw[before]
			if got := (schema.Throttle{Rule: tc.rule, Rate: 1, Result: tc.result}); raw.Throttle != got || text != "CrashID=bp-"+raw.CrashID+"\n" {
				t.Errorf("%q: %+v, %q", tc.fields, raw.Throttle, text)
			}
			if raw.Deferred() != (tc.result == "defer") || raw.Annotations["Email"] != "" {
				t.Errorf("%q: %+v", tc.fields, raw)
			}
		}
	}
}

// The share that was kept is stored, as a fraction.
func TestTheRateOfASampleIsStored(t *testing.T) {
	d := open(t, collector.Options{Rules: rules(t, "rules: [{name: half, percent: 50, result: accept, else: defer}]")})
	body, kind := form(t, "a", "b")
	got := map[string]bool{}
	for range 64 {
		if status, text := d.post(t, body, kind, "", false); status != 200 {
			t.Fatal(status, text)
		}
	}
	for _, raw := range d.raw {
		got[raw.Throttle.Result] = true
		if raw.Throttle.Rate != 0.5 || raw.CrashID[29] != map[string]byte{"accept": '0', "defer": '1'}[raw.Throttle.Result] {
			t.Errorf("%s: %+v", raw.CrashID, raw.Throttle)
		}
	}
	if len(d.raw) != 64 || len(got) != 2 {
		t.Errorf("%d events, results %v", len(d.raw), got)
	}
}

func TestWhoMayChooseACrashID(t *testing.T) {
	const id = "de1bb258-cbbf-4589-a673-34f800160918"
	for name, tc := range map[string]struct {
		token, authorization, uuid string
		status                     int
		text                       string
		kept                       bool // as an annotation
	}{
		"the token":               {"123", "Bearer 123", id, 200, "CrashID=bp-" + id + "\n", false},
		"another":                 {"123", "Bearer 124", id, 401, "Discarded=unauthorized_uuid", false},
		"its beginning":           {"123", "Bearer 12", id, 401, "Discarded=unauthorized_uuid", false},
		"no scheme":               {"123", "123", id, 401, "Discarded=unauthorized_uuid", false},
		"another scheme":          {"123", "Basic 123", id, 401, "Discarded=unauthorized_uuid", false},
		"small letters":           {"123", "bearer 123", id, 401, "Discarded=unauthorized_uuid", false},
		"no token":                {"123", "", id, 401, "Discarded=unauthorized_uuid", false},
		"no token, no id":         {"123", "", "", 401, "Discarded=unauthorized_uuid", false},
		"nobody may":              {"", "Bearer 123", id, 401, "Discarded=unauthorized_uuid", false},
		"nobody may, empty":       {"", "Bearer ", id, 401, "Discarded=unauthorized_uuid", false},
		"nobody may, nobody asks": {"", "", id, 200, "CrashID=bp-", true},
		"digit 1":                 {"123", "Bearer 123", "de1bb258-cbbf-4589-a673-34f801160918", 200, "CrashID=bp-de1bb258-cbbf-4589-a673-34f801160918\n", false},
		"digit 2":                 {"123", "Bearer 123", "de1bb258-cbbf-4589-a673-34f802160918", 400, "Discarded=malformed_invalid_uuid", false},
		"capitals":                {"123", "Bearer 123", strings.ToUpper(id), 400, "Discarded=malformed_invalid_uuid", false},
		"a prefix":                {"123", "Bearer 123", "bp-" + id, 400, "Discarded=malformed_invalid_uuid", false},
		"no such day":             {"123", "Bearer 123", "de1bb258-cbbf-4589-a673-34f800999999", 400, "Discarded=malformed_invalid_uuid", false},
		"empty":                   {"123", "Bearer 123", "", 400, "Discarded=malformed_invalid_uuid", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, collector.Options{InlineMax: -1, IDToken: tc.token})
			body, kind := form(t, "ProductName", "Fenix", "uuid", tc.uuid)
			request := fmt.Sprintf("POST /submit HTTP/1.1\r\nHost: door\r\nConnection: close\r\nAuthorization: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", tc.authorization, kind, len(body), body)
			if tc.authorization == "" {
				request = strings.Replace(request, "Authorization: \r\n", "", 1)
			}
			status, text := d.sendRaw(t, []byte(request), false)
			if status != tc.status || !strings.HasPrefix(text, tc.text) || len(d.raw) != map[int]int{200: 1}[tc.status] {
				t.Fatalf("%d %q, %d events", status, text, len(d.raw))
			}
			if status == 200 {
				if _, kept := d.raw[0].Annotations["uuid"]; kept != tc.kept {
					t.Errorf("annotations %v", d.raw[0].Annotations)
				}
			}
		})
	}
}

// The token is asked for before the rules: who guesses it learns nothing of them.
func TestTheTokenComesBeforeTheRules(t *testing.T) {
	d := open(t, collector.Options{IDToken: "123", Rules: rules(t, "rules: [{name: none, result: reject}]")})
	body, kind := form(t, "uuid", "x")
	if status, text := d.post(t, body, kind, "", false); status != 401 {
		t.Error(status, text)
	}
}
