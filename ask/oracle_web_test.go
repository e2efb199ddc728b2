package ask_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"aftershock/ask"
	"aftershock/schema"
	"aftershock/sinks/clickhouse"
	"aftershock/sinks/clickhouse/clickhousetest"
	"aftershock/web"
)

// shownPage is a table of a page: under which title it stands, and what the oracle is asked for.
type shownPage struct {
	at       string // its query
	title    string
	question string
	given    map[string]string
}

// ofPage are parameters as the pages' questions have them: the page's own where the URL says none.
func ofPage(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// shownPages are the tables of /top and of a signature's page, with and without a filter.
func shownPages(signature string) (all []shownPage) {
	add := func(path string, q url.Values, title, question string, pairs ...string) {
		given := ofPage(pairs...)
		find, _ := ask.Find(question)
		for _, p := range find.Params {
			if v := q.Get(p.Name); v != "" {
				given[p.Name] = strings.Join(q[p.Name], "\n")
			}
		}
		all = append(all, shownPage{path + "?" + q.Encode(), title, question, given})
	}
	for _, filter := range []url.Values{{}, {"from": {"14d"}, "os": {"Windows NT"}}, {"from": {"28d"}, "product": {"!=Orchard Mobile"}, "os": {"!=Linux", "!=Android"}}} {
		with := func(pairs ...string) url.Values {
			q := url.Values{}
			for name, values := range filter {
				q[name] = values
			}
			for i := 0; i < len(pairs); i += 2 {
				q.Set(pairs[i], pairs[i+1])
			}
			return q
		}
		add("/top", with(), "By crashes", "top-crashers", "limit", "100")
		add("/top", with("tab", "installs"), "By installations", "top-by-installs", "limit", "100")
		add("/top", with("tab", "startup"), "At startup", "startup", "limit", "100")
		add("/top", with("tab", "rising"), "Rising", "risers", "limit", "100")
		q := with("signature", signature)
		add("/signature", q, "What becomes of it", "states")
		add("/signature", q, "Crashes a day, by version", "days")
		add("/signature", q, "On what", "signature-platforms")
		add("/signature", q, "After how long", "uptime")
		add("/signature", q, "Bugs", "bugs")
		add("/signature", q, "Graphics", "gpus", "limit", "10")
		add("/signature", with("signature", signature, "tab", "reports"), "Crashes, newest first", "reports")
		add("/signature", with("signature", signature, "tab", "builds"), "By build: did it help?", "builds")
		add("/signature", with("signature", signature, "tab", "more"), "What these crashes have more often than others", "correlations")
	}
	return all
}

var (
	rowsOf   = regexp.MustCompile(`(?s)<tr[^>]*>(.*?)</tr>`)
	cellsOf  = regexp.MustCompile(`(?s)<t[hd][^>]*>(.*?)</t[hd]>`)
	signs    = regexp.MustCompile(`(?s)&nbsp;<a class="sign".*?</a>`)
	anyTag   = regexp.MustCompile(`(?s)<[^>]*>`)
	nothing  = "Nothing: no crash is like that"
	placeOf  = regexp.MustCompile(`crash ([0-9]+) of ([0-9]+) \(`)
	factOf   = regexp.MustCompile(`(?s)<div><dt>([a-z_0-9]+)</dt><dd>(.*?)</dd></div>`)
	modulesN = regexp.MustCompile(`<summary>([0-9]+) modules</summary>`)
)

// plain is what somebody reads of markup.
func plain(markup string) string {
	return html.UnescapeString(anyTag.ReplaceAllString(signs.ReplaceAllString(markup, ""), ""))
}

// tableUnder is the table of a page that stands under a title, as somebody reads it.
func tableUnder(t *testing.T, page, title string) *ask.Answer {
	t.Helper()
	_, rest, ok := strings.Cut(page, "<h2>"+html.EscapeString(title)+"</h2>")
	if !ok {
		t.Fatalf("no %q on %.1500s", title, page)
	}
	rest, _, _ = strings.Cut(rest, "</section>")
	a := &ask.Answer{}
	if strings.Contains(rest, nothing) {
		return a
	}
	for i, row := range rowsOf.FindAllStringSubmatch(rest, -1) {
		var cells []string
		for _, c := range cellsOf.FindAllStringSubmatch(row[1], -1) {
			cells = append(cells, strings.TrimPrefix(plain(c[1]), " ")) // behind a bar
		}
		if i > 0 {
			a.Rows = append(a.Rows, cells)
			continue
		}
		for _, name := range cells {
			a.Columns = append(a.Columns, ask.Column{Name: name})
		}
	}
	return a
}

// pages are asked of a server over the tables, as a browser does.
type pages struct {
	t *testing.T
	h *web.Handler
}

func (p pages) get(at string) string {
	p.t.Helper()
	var w *httptest.ResponseRecorder
	for range 10 {
		w = httptest.NewRecorder()
		p.h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, at, nil))
		if w.Code != http.StatusServiceUnavailable { // the machine has other work than the tables
			break
		}
	}
	if w.Code != http.StatusOK {
		p.t.Fatalf("%s: %d %.600s", at, w.Code, w.Body)
	}
	return w.Body.String()
}

// compareTables compares every cell of the tables.
func (o *oracle) compareTables(t *testing.T, p pages, signature string) (rows int) {
	t.Helper()
	read := map[string]string{}
	for _, of := range shownPages(signature) {
		if read[of.at] == "" {
			read[of.at] = p.get(of.at)
		}
		q, ok := ask.Find(of.question)
		if !ok {
			t.Fatal(of.question)
		}
		want := answers[of.question](o, asked{q, of.given})
		have := tableUnder(t, read[of.at], of.title)
		if len(have.Columns) == 0 && len(want.rows) == 0 {
			continue
		}
		want.compare(t, of.at+" "+of.title, have)
		rows += len(want.rows)
	}
	return rows
}

// compareDistributions compares how a signature's crashes are spread.
func (o *oracle) compareDistributions(t *testing.T, p pages, signature string) {
	t.Helper()
	page := p.get("/signature?" + url.Values{"signature": {signature}, "tab": {"distributions"}}.Encode())
	var all []*crash
	for _, c := range o.versions[o.active] {
		if c.Signature == signature && !c.ReceivedAt.Before(now.AddDate(0, 0, -28)) && c.ReceivedAt.Before(now) {
			all = append(all, c)
		}
	}
	for name, value := range map[string]func(*crash) string{
		"product": func(c *crash) string { return c.Product }, "version": func(c *crash) string { return c.Version }, "channel": func(c *crash) string { return c.Channel }, "os": func(c *crash) string { return c.OS },
		"cpu_arch": func(c *crash) string { return c.CPUArch }, "process_type": func(c *crash) string { return c.ProcessType }, "build_id": func(c *crash) string { return c.BuildID }, "reason": func(c *crash) string { return c.Reason },
	} {
		want := newAnswer("Value Crashes Share")
		for of, some := range group(all, value) {
			if of != "" {
				want.add(of, len(some), anything{})
			}
		}
		if len(want.rows) == 0 {
			if strings.Contains(page, "<h2>"+name+"</h2>") {
				t.Errorf("%s of nothing", name)
			}
			continue
		}
		have := tableUnder(t, page, name)
		for _, row := range have.Rows { // a share is the part of all
			var crashes, share float64
			if _, err := fmt.Sscan(row[1]+" "+row[2], &crashes, &share); err != nil || share < 100*crashes/float64(len(all))-0.051 || share > 100*crashes/float64(len(all))+0.051 {
				t.Errorf("%s: %q of %d: %v", name, row, len(all), err)
			}
		}
		want.by("-Crashes", "Value").most(10).compare(t, "distribution of "+name, have)
	}
}

// compareCrash compares a crash's page with its public view.
func (o *oracle) compareCrash(t *testing.T, p pages, c *crash) (facts int) {
	t.Helper()
	page := p.get("/crash/" + c.CrashID)
	if !strings.Contains(page, "<h1>"+html.EscapeString(c.Signature)+"</h1>") {
		t.Errorf("%s: not %s", c.CrashID, c.Signature)
	}
	var before, count int
	for _, other := range o.versions[o.active] {
		if other.Signature != c.Signature || other.ReceivedAt.Before(now.AddDate(0, 0, -28)) || !other.ReceivedAt.Before(now) {
			continue
		}
		count++
		if other.ReceivedAt.Before(c.ReceivedAt) || other.ReceivedAt.Equal(c.ReceivedAt) && other.CrashID < c.CrashID {
			before++
		}
	}
	in := !c.ReceivedAt.Before(now.AddDate(0, 0, -28)) && c.ReceivedAt.Before(now)
	if m := placeOf.FindStringSubmatch(page); in && count > 1 && (m == nil || m[1] != fmt.Sprint(before+1) || m[2] != fmt.Sprint(count)) {
		t.Errorf("%s: %q, want %d of %d", c.CrashID, m, before+1, count)
	}
	if m := modulesN.FindStringSubmatch(page); m == nil || m[1] != fmt.Sprint(len(c.Modules)) {
		t.Errorf("%s: %q, want %d modules", c.CrashID, m, len(c.Modules))
	}
	frames := 0
	for _, f := range c.Frames {
		frames += 1 + len(f.Inlines)
	}
	_, stack, _ := strings.Cut(page, "<h2>Crashing thread</h2>")
	stack, _, _ = strings.Cut(stack, "</section>")
	shown := 0
	for _, row := range rowsOf.FindAllStringSubmatch(stack, -1) {
		if strings.Contains(row[1], "<td") {
			shown++
		}
	}
	if shown != frames {
		t.Errorf("%s: %d frames, want %d", c.CrashID, shown, frames)
	}
	said := map[string]string{}
	for _, m := range factOf.FindAllStringSubmatch(page, -1) {
		said[m[1]] = plain(m[2])
	}
	v := reflect.ValueOf(c.facts).Elem()
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("avro"), ",")
		f := v.Field(i)
		if f.Kind() != reflect.Pointer || f.IsNil() || f.Elem().Kind() == reflect.Struct {
			continue
		}
		have, there := said[name]
		if !there {
			continue // it has a place of its own, or another name
		}
		facts++
		want := fmt.Sprint(f.Elem().Interface())
		if slices.Contains([]string{"crash_time", "startup_time", "install_time"}, name) { // seconds, shown as times
			want = time.Unix(f.Elem().Int(), 0).UTC().Format(time.DateTime)
		}
		if have != want {
			t.Errorf("%s: %s is %q, want %q", c.CrashID, name, have, want)
		}
	}
	return facts
}

// split leaves some of the crashes that a promotion moves under their signatures, and moves fewer to one
// that is no heir of theirs.
func split(one, two []*schema.ProcessedCrash) {
	for i := range two {
		switch moves := one[i].Signature != two[i].Signature; {
		case i%3 == 0:
			two[i].Signature = one[i].Signature
		case moves && i%7 == 1:
			two[i].Signature = "of a few"
		}
	}
}

// Every number on the pages of top crashers, of a signature and of a crash is what an oracle computes
// from the crashes themselves: before a promotion, and of the new signatures after it.
func TestNumbersOnPagesAreThoseOfAnOracle(t *testing.T) {
	address, analysts := clickhousetest.ServeAnalysts(t)
	db := clickhousetest.Open(t, address)
	public, err := clickhouse.Open(analysts, schema.DefaultRegistry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { public.Close() }) //nolint:gosec // the server ends with it
	const count = 1500
	all := crashes(t, count)
	o := &oracle{versions: map[int32]map[string]*crash{}}
	var one, two []*schema.ProcessedCrash
	for i := range count {
		one, two = append(one, bent(i, all.At(i))), append(two, bent(i, all.InVersion(i, 2)))
	}
	o.tell(t, db, count, one)
	o.see(t, db, 1)
	o.load(t, db)
	split(one, two)
	o.descend(two)
	o.storeLineage(t, db)
	o.tell(t, db, count, two)
	h, err := web.New(web.Options{DB: public, Now: func() time.Time { return now }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	p := pages{t, h}
	// A signature that the promotion gives crashes, the one that had them, and one that both have.
	moved, was := "", ""
	for i := range one {
		if one[i].Signature != two[i].Signature && two[i].Signature != "of a few" && moved == "" {
			moved, was = two[i].Signature, one[i].Signature
		}
	}
	if moved == "" {
		t.Fatal("the promotion moves nothing")
	}
	seen := map[int32]string{}
	for _, version := range []int32{1, 2} {
		if version == 2 {
			o.see(t, db, 2)
		}
		var active []*crash
		for _, c := range o.versions[o.active] {
			active = append(active, c)
		}
		slices.SortFunc(active, func(a, b *crash) int { return strings.Compare(a.CrashID, b.CrashID) })
		signatures := []string{ranked(active, func(c *crash) []string { return []string{c.Signature} })[0], moved}
		for _, signature := range signatures {
			if rows := o.compareTables(t, p, signature); rows < 200 {
				t.Errorf("version %d, %s: %d rows: compares nothing", version, signature, rows)
			}
			o.compareDistributions(t, p, signature)
		}
		for _, signature := range append(signatures, was) {
			shares, bars, names := o.compareLineage(t, p, signature)
			if promoted := version == 2 && signature != signatures[0]; promoted && (shares == 0 || bars < 5 || names < 2) {
				t.Errorf("%s: %d shares, %d bars, %d names: compares nothing", signature, shares, bars, names)
			}
			if frames := o.compareTree(t, p, signature); frames < 5 && (version == 2 || signature != moved) {
				t.Errorf("version %d, %s: %d frames: compares nothing", version, signature, frames)
			}
		}
		facts := 0
		for i := 0; i < len(active); i += len(active) / 25 {
			facts += o.compareCrash(t, p, active[i])
		}
		if facts < 100 {
			t.Errorf("version %d: %d facts", version, facts)
		}
		seen[version] = p.get("/top?from=28d")
	}
	if seen[1] == seen[2] {
		t.Error("the promotion changes nothing on a page")
	}
}
